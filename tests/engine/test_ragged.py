"""The kernel for rows of different lengths: who gets it, and how it is tried first.

The kernels run on CUDA and Metal only. Here what reads slots on the CPU stands in.
"""

from __future__ import annotations

from dataclasses import replace

import mlx.core as mx
import pytest
from mlx_lm.models import deepseek_v3, llama

from inference.engine.row_caches.maker import cache_maker_for
from inference.engine.row_caches.ragged import parts_of
from inference.engine.row_caches.ragged_source import join_source, span_source
from inference.engine.row_caches.ragged_trial import (
    HELD_LONG,
    HELD_SHORT,
    LayerShape,
    is_right,
    layer_shapes,
)
from tests.engine.random_models import random_model
from tests.engine.slot_readers import ForgetsTheNewest, ReadsSlots

SHAPE = LayerShape(4, 2, 64, mx.float32)


@pytest.mark.parametrize("held", [HELD_SHORT, HELD_LONG])
@pytest.mark.parametrize("writes", [True, False])
def test_a_kernel_that_gives_the_librarys_numbers_is_right(
    held: tuple[int, ...], writes: bool
) -> None:
    assert is_right(ReadsSlots(writes=writes), SHAPE, held)


@pytest.mark.parametrize("held", [HELD_SHORT, HELD_LONG])
def test_a_kernel_with_a_fault_is_found_out(held: tuple[int, ...]) -> None:
    assert not is_right(ForgetsTheNewest(writes=True), SHAPE, held)


@pytest.mark.parametrize(
    ("architecture", "head_dim", "expected"),
    [
        ("llama", 64, {SHAPE}),
        ("smollm3", 64, {SHAPE}),
        # The head size is not covered.
        ("llama", 32, set()),
        # It attends with a mask of its own.
        ("deepseek_v3", 64, set()),
    ],
)
def test_models_that_attend_through_the_library_alone_may_have_it(
    architecture: str,
    head_dim: int,
    expected: set[LayerShape],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = random_model(architecture, head_dim=head_dim)
    # What is installed for the trial goes with the test.
    for module in (llama, deepseek_v3):
        theirs = module.scaled_dot_product_attention
        monkeypatch.setattr(module, "scaled_dot_product_attention", theirs)
    maker = cache_maker_for(model, kv_bits=None)
    assert maker.has_slots
    found = layer_shapes(
        model, lambda attention: replace(maker, attention=attention).make()
    )
    assert found == expected


def test_the_cpu_has_the_librarys_attention() -> None:
    maker = cache_maker_for(random_model("llama", head_dim=64), kv_bits=None)
    assert maker.has_slots
    assert maker.attention is None


def test_long_rows_are_cut_into_parts_and_many_short_ones_are_not() -> None:
    assert parts_of(256, 300) == 1
    assert parts_of(64, 300) == 2
    assert parts_of(8, 8000) == 32
    assert parts_of(256, 8000) == 4
    assert parts_of(1, 100_000) == 64


@pytest.mark.parametrize("backend", ["cuda", "metal"])
def test_one_text_gives_the_source_of_both_backends(backend: str) -> None:
    sources = [
        *(span_source(backend, is_part=is_part) for is_part in (False, True)),
        join_source(backend),
    ]
    for source in sources:
        assert source.count("{") == source.count("}")
        for name in ("BLOCK_X", "BLOCKS_Y", "UNROLL", "GLOBAL", "STORE", "WRITE_NEW"):
            assert name not in source
        assert ("blockIdx" in source) is (backend == "cuda")
        assert ("threadgroup_position_in_grid" in source) is (backend == "metal")
    # Only CUDA's writes the new token where the cache stands.
    assert ("const_cast" in sources[0]) is (backend == "cuda")
