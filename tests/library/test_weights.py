"""The sizes of weights come from their headers, which may lie."""

from __future__ import annotations

import shutil
import struct
import time
from typing import TYPE_CHECKING

import mlx.core as mx
import pytest

from inference.library.errors import LibraryError
from inference.library.weights import measure_weights
from tests.library.cast import put_tensors, tensor

if TYPE_CHECKING:
    from pathlib import Path

WEIGHTS = "model.safetensors"


def refusal_of(path: Path) -> str:
    """Return the one line with which a file is refused."""
    with pytest.raises(LibraryError) as refusal:
        measure_weights([path], on_cpu=True)
    assert "\n" not in str(refusal.value)
    return str(refusal.value)


@pytest.fixture
def mixed(tmp_path: Path) -> Path:
    """Weights of every floating type and of packed ones, written by MLX."""
    path = tmp_path / WEIGHTS
    arrays = {
        "scales": mx.zeros((8, 2), dtype=mx.bfloat16),
        "half": mx.zeros((3, 5), dtype=mx.float16),
        "full": mx.zeros((7,), dtype=mx.float32),
        "packed": mx.zeros((8, 16), dtype=mx.uint32),
        "bytes": mx.zeros((9,), dtype=mx.uint8),
        "flags": mx.zeros((3,), dtype=mx.bool_),
        "long": mx.zeros((2,), dtype=mx.int64),
    }
    mx.save_safetensors(str(path), arrays, metadata={"format": "mlx"})
    return path


def test_it_counts_what_mlx_loads_and_what_a_cpu_makes_of_it(mixed: Path) -> None:
    arrays = mx.load(str(mixed)).values()
    on_gpu = sum(array.nbytes for array in arrays)
    on_cpu = sum(
        array.size * 4 if mx.issubdtype(array.dtype, mx.floating) else array.nbytes
        for array in arrays
    )

    assert measure_weights([mixed], on_cpu=False).loaded_bytes == on_gpu
    assert measure_weights([mixed], on_cpu=True).loaded_bytes == on_cpu
    assert on_cpu == on_gpu + 2 * (16 + 15)
    assert measure_weights([mixed], on_cpu=True).stored_bytes == mixed.stat().st_size


def test_it_adds_up_shards(mixed: Path, tmp_path: Path) -> None:
    second = shutil.copy(mixed, tmp_path / "model-2.safetensors")

    both = measure_weights([mixed, tmp_path / second], on_cpu=True)

    assert both.loaded_bytes == 2 * measure_weights([mixed], on_cpu=True).loaded_bytes


@pytest.mark.parametrize("kept", [0, 7, 8, 200, 20_000, 2_000_000, 2_227_114])
def test_it_names_a_truncated_file_with_the_figures(
    kept: int, tiny_model_dir: Path, tmp_path: Path
) -> None:
    path = tmp_path / WEIGHTS
    path.write_bytes((tiny_model_dir / WEIGHTS).read_bytes()[:kept])

    refusal = refusal_of(path)

    assert f"model.safetensors is truncated: it has {kept:,} of " in refusal
    assert kept < 100_000 or refusal.endswith("of 2,227,115 bytes")


def test_it_names_a_file_that_goes_on_after_its_tensors(mixed: Path) -> None:
    size = mixed.stat().st_size
    with mixed.open("ab") as file:
        file.write(b"more")

    assert f"has {size + 4:,} bytes where its header tells of {size:,}" in refusal_of(
        mixed
    )


def test_it_believes_no_length_of_a_header(tmp_path: Path) -> None:
    path = tmp_path / WEIGHTS
    path.write_bytes(struct.pack("<Q", 2**63) + bytes(1000))
    assert "its header would have 9,223,372,036,854,775,808 bytes" in refusal_of(path)

    path.write_bytes(struct.pack("<Q", 5_000_000) + bytes(1000))
    assert "truncated: it has 1,008 of more than 5,000,008 bytes" in refusal_of(path)


@pytest.mark.parametrize(
    "header",
    [
        b"",
        b"\xff\xfe",
        b"[]",
        b'{"a": 1}',
        b'{"a": {"dtype": "F32", "shape": [1]}}',
        b'{"a": {"dtype": "F32", "shape": [-4], "data_offsets": [0, 4]}}',
        b'{"a": {"dtype": "F32", "shape": [1.5], "data_offsets": [0, 4]}}',
        b'{"a": {"dtype": "F32", "shape": "1", "data_offsets": [0, 4]}}',
        b'{"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4, 8]}}',
        b'{"a": {"dtype": 7, "shape": [1], "data_offsets": [0, 4]}}',
        b'{"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, ' + b"9" * 999,
        b'{"a": ' + b"[" * 100_000,
    ],
)
def test_it_refuses_a_header_that_is_none(header: bytes, tmp_path: Path) -> None:
    path = put_tensors(tmp_path / WEIGHTS, header, 4)

    assert "model.safetensors is not a safetensors file: its header" in refusal_of(path)


def test_it_refuses_tensors_whose_shapes_lie(tmp_path: Path) -> None:
    huge = {"a": tensor("F32", [2**62, 2**62], 0, size=16)}
    path = put_tensors(tmp_path / WEIGHTS, huge, 16)

    assert refusal_of(path) == (
        "the header of model.safetensors is wrong: tensor 'a' has 16 bytes, "
        "not what its shape takes"
    )


def test_it_refuses_tensors_that_share_bytes(tmp_path: Path) -> None:
    shared = {str(n): tensor("F32", [1000], 0) for n in range(1000)}
    path = put_tensors(tmp_path / WEIGHTS, shared, 4000)

    assert "begins at 0, the one before it ends at 4,000" in refusal_of(path)


def test_it_refuses_gaps_between_tensors(tmp_path: Path) -> None:
    gap = {"a": tensor("F32", [1], 0), "b": tensor("F32", [1], 2**60)}
    path = put_tensors(tmp_path / WEIGHTS, gap, 8)

    assert "begins at 1,152,921,504,606,846,976" in refusal_of(path)


def test_it_names_numbers_that_mlx_does_not_read(tmp_path: Path) -> None:
    path = put_tensors(tmp_path / WEIGHTS, {"a": tensor("F64", [1], 0, size=8)}, 8)

    assert refusal_of(path) == (
        "model.safetensors holds 'F64' numbers, which MLX does not read"
    )
    with pytest.raises(RuntimeError, match="unsupported dtype F64"):
        mx.load(str(path))


def test_it_refuses_weights_without_a_tensor(tmp_path: Path) -> None:
    path = put_tensors(tmp_path / WEIGHTS, {"__metadata__": {"format": "pt"}}, 0)

    assert refusal_of(path) == "its weight files hold no tensors"


def test_it_measures_hundreds_of_gigabytes_at_once(tmp_path: Path) -> None:
    """The files are sparse: only their headers are there, as far as disks go."""
    shards, per_shard, size = 40, 500, 10_000_000
    for shard in range(shards):
        path = tmp_path / f"model-{shard}.safetensors"
        header = {
            f"layers.{n}.weight": tensor("U32", [size // 4], n * size)
            for n in range(per_shard)
        }
        put_tensors(path, header, 0)
        with path.open("r+b") as file:
            file.truncate(path.stat().st_size + per_shard * size)

    before = time.process_time()
    sizes = measure_weights(tmp_path.glob("*.safetensors"), on_cpu=True)

    assert sizes.loaded_bytes == shards * per_shard * size == 200_000_000_000
    assert time.process_time() - before < 2
