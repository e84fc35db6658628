"""What a worker holds beside MLX's arrays is told, and only that."""

from __future__ import annotations

import gc
import sys

import mlx.core as mx
import pytest

from inference.engine.hardware.device import is_cpu
from inference.engine.hardware.host_memory import HostMemory, give_back

MB = 1_000_000

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or not is_cpu(), reason="one memory is measured on Linux"
)


@pytest.fixture(autouse=True)
def _nothing_left_of_other_tests() -> None:
    """What they leave would be given back while this is measured."""
    gc.collect()
    mx.synchronize()
    mx.clear_cache()
    give_back()


def test_it_tells_what_was_taken_since_and_given_back() -> None:
    host = HostMemory()
    assert host.taken_bytes() == 0
    pictures = [bytes([n]) * (100 * MB) for n in range(1, 5)]
    assert 250 * MB < host.taken_bytes() < 400 * MB
    pictures.clear()
    give_back()
    assert host.taken_bytes() == 0


def test_arrays_of_mlx_are_not_counted_twice() -> None:
    host = HostMemory()
    array = mx.ones((100 * MB,), dtype=mx.float32)
    mx.eval(array)
    assert mx.get_active_memory() >= 400 * MB
    assert host.taken_bytes() < 50 * MB
