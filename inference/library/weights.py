"""How large weights are, by the headers of their files, whose numbers are checked.

Layout of a safetensors file: the length of its header in 8 bytes (little-endian),
the header in JSON (per tensor: type, shape, where its data begins and ends), the
data. Only the header is read, so files of any size take milliseconds.
"""

from __future__ import annotations

import math
import os
import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated

import msgspec

from inference.library.errors import LibraryError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

HEADER_LIMIT_BYTES = 100_000_000
_LENGTH = struct.Struct("<Q")
_METADATA = "__metadata__"
_NAME_SHOWN = 80
# Bytes of one number, for the types that MLX reads.
_WIDTHS = {
    **dict.fromkeys(("BOOL", "U8", "I8", "F8_E4M3", "F8_E8M0"), 1),
    **dict.fromkeys(("I16", "U16", "F16", "BF16"), 2),
    **dict.fromkeys(("I32", "U32", "F32"), 4),
    **dict.fromkeys(("I64", "U64", "C64"), 8),
}
# Eight-bit floats are unpacked by mlx-lm, to bfloat16.
_LOADED = {"F8_E4M3": 2}
# On a CPU every floating weight becomes float32: see `engine/hardware/device.py`.
_LOADED_ON_CPU = dict.fromkeys(("F16", "BF16", "F32", "F8_E4M3"), 4)

Count = Annotated[int, msgspec.Meta(ge=0)]


class _Tensor(msgspec.Struct, gc=False):
    dtype: str
    shape: Annotated[list[Count], msgspec.Meta(max_length=32)]
    data_offsets: tuple[Count, Count]


_headers = msgspec.json.Decoder(dict[str, msgspec.Raw])
_tensors = msgspec.json.Decoder(_Tensor)


@dataclass(frozen=True, slots=True)
class WeightSizes:
    """What weights take in bytes: in their files, and once they are loaded.

    `shapes` are those of their tensors, by name.
    """

    stored_bytes: int = 0
    loaded_bytes: int = 0
    shapes: dict[str, list[int]] = field(default_factory=dict)


def measure_weights(paths: Iterable[Path], *, on_cpu: bool) -> WeightSizes:
    """Add up the files' tensors.

    Raises:
        LibraryError: a file is not what its header says, is truncated, or holds a
            type that MLX does not read; or there is not one tensor.
    """
    stored = loaded = 0
    shapes: dict[str, list[int]] = {}
    for path in paths:
        tensors, size_bytes = _tensors_of(path)
        stored += size_bytes
        found = tensors.values()
        loaded += sum(_loaded_bytes(tensor, on_cpu=on_cpu) for tensor in found)
        shapes |= {name: tensor.shape for name, tensor in tensors.items()}
    if not shapes:
        raise LibraryError("its weight files hold no tensors")
    return WeightSizes(stored, loaded, shapes)


def _tensors_of(path: Path) -> tuple[dict[str, _Tensor], int]:
    """Return a file's tensors and its size in bytes."""
    try:
        header, size_bytes = _read_header(path)
    except OSError as error:
        raise LibraryError(f"{path.name} cannot be read: {error.strerror}") from error
    tensors = _decoded(header, path.name)
    data_bytes = _checked_data_bytes(tensors, path.name)
    expected = _LENGTH.size + len(header) + data_bytes
    if size_bytes < expected:
        raise _truncated(path, size_bytes, f"{expected:,}")
    if size_bytes > expected:
        raise LibraryError(
            f"{path.name} has {size_bytes:,} bytes where its header tells of {expected:,}"
        )
    return tensors, size_bytes


def _read_header(path: Path) -> tuple[bytes, int]:
    with path.open("rb") as file:
        size_bytes = os.fstat(file.fileno()).st_size
        start = file.read(_LENGTH.size)
        if len(start) < _LENGTH.size:
            raise _truncated(path, size_bytes, f"at least {_LENGTH.size}")
        (length,) = _LENGTH.unpack(start)
        if length > HEADER_LIMIT_BYTES:
            raise LibraryError(
                f"{path.name} is not a safetensors file: its header would have "
                f"{length:,} bytes"
            )
        header = file.read(length)
    if len(header) < length:
        raise _truncated(path, size_bytes, f"more than {_LENGTH.size + length:,}")
    return header, size_bytes


def _truncated(path: Path, size_bytes: int, expected: str) -> LibraryError:
    return LibraryError(
        f"{path.name} is truncated: it has {size_bytes:,} of {expected} bytes"
    )


def _decoded(header: bytes, file: str) -> dict[str, _Tensor]:
    try:
        entries = _headers.decode(header)
        entries.pop(_METADATA, None)
        return {name: _tensors.decode(entry) for name, entry in entries.items()}
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        words = str(error).partition("\n")[0]
        raise LibraryError(
            f"{file} is not a safetensors file: its header cannot be read ({words})"
        ) from error


def _checked_data_bytes(tensors: dict[str, _Tensor], file: str) -> int:
    """Return how much data the tensors take together, lying end to end."""
    reached = 0
    for name, tensor in sorted(tensors.items(), key=lambda item: item[1].data_offsets):
        begin, end = tensor.data_offsets
        if begin != reached:
            raise LibraryError(
                f"the header of {file} is wrong: tensor {_shown(name)} begins at "
                f"{begin:,}, the one before it ends at {reached:,}"
            )
        width = _WIDTHS.get(tensor.dtype)
        if width is None:
            raise LibraryError(
                f"{file} holds {_shown(tensor.dtype)} numbers, which MLX does not read"
            )
        if end - begin != math.prod(tensor.shape) * width:
            raise LibraryError(
                f"the header of {file} is wrong: tensor {_shown(name)} has "
                f"{end - begin:,} bytes, not what its shape takes"
            )
        reached = end
    return reached


def _loaded_bytes(tensor: _Tensor, *, on_cpu: bool) -> int:
    widths = _LOADED_ON_CPU if on_cpu else _LOADED
    width = widths.get(tensor.dtype, _WIDTHS[tensor.dtype])
    return math.prod(tensor.shape) * width


def _shown(name: str) -> str:
    return repr(name[:_NAME_SHOWN])
