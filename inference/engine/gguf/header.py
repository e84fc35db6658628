"""Reads a GGUF file's header, believing none of its numbers.

Layout (GGUF 2 and 3, little-endian): magic, version, counts; metadata as
key, type, value; per tensor its name, shape, type and offset; then the data.
Every size is held against what the file can contain before it is used.
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, BinaryIO

from gguf.constants import GGML_QUANT_SIZES, GGMLQuantizationType

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MAGIC = b"GGUF"
VERSIONS = (2, 3)
STRING, ARRAY = 8, 9
# Number types of the metadata, as `struct` knows them.
NUMBERS = {
    0: "<B",
    1: "<b",
    2: "<H",
    3: "<h",
    4: "<I",
    5: "<i",
    6: "<f",
    7: "<?",
    10: "<Q",
    11: "<q",
    12: "<d",
}
# Types of tensors that are imported: plain ones, and the others with how many bits MLX
# packs a number of theirs. Groups of 32 numbers are taken over as they are; types with
# smaller groups or uneven steps are quantized anew, with bits to spare.
PLAIN = ("F32", "F16", "BF16")
BITS = {
    "Q4_0": 4,
    "Q4_1": 4,
    "Q5_0": 5,
    "Q5_1": 5,
    "Q8_0": 8,
    "Q2_K": 6,
    "Q3_K": 6,
    "Q4_K": 4,
    "Q5_K": 5,
    "Q6_K": 8,
    "IQ1_S": 6,
    "IQ1_M": 6,
    "IQ2_XXS": 6,
    "IQ2_XS": 6,
    "IQ2_S": 6,
    "IQ3_XXS": 6,
    "IQ3_S": 6,
    "IQ4_NL": 8,
    "IQ4_XS": 8,
    "TQ1_0": 6,
    "TQ2_0": 6,
    "MXFP4": 8,
}
MAX_DIMENSIONS = 4
MAX_TEXT_BYTES = 16 << 20  # a chat template is a few kilobytes
MAX_ITEMS = 8 << 20  # the largest vocabularies have a quarter of a million tokens
DEFAULT_ALIGNMENT = 32
MAX_ALIGNMENT = 1 << 20
# A key, a type and a value, or a tensor's description, take at least this much.
SMALLEST_ENTRY_BYTES = 8


class GGUFError(ValueError):
    """The file is damaged, or of a kind that is not imported."""


@dataclass(frozen=True, slots=True)
class Tensor:
    """Where a tensor lies in the file, which is long enough to hold it.

    `shape` is in NumPy's order, the last dimension contiguous; `offset` counts
    from the beginning of the file.
    """

    name: str
    type_name: str
    shape: tuple[int, ...]
    offset: int
    size_bytes: int


@dataclass(frozen=True, slots=True)
class GGUFHeader:
    """What a file says about itself: metadata, and its tensors by their names."""

    metadata: dict[str, Any]
    tensors: dict[str, Tensor]


def read_header(path: Path) -> GGUFHeader:
    """Read and check the header of `path`.

    Raises:
        GGUFError: the file is no sound GGUF file of a known version.
    """
    with path.open("rb") as file:
        return _HeaderReader(file, path.stat().st_size).read()


def _type_name(kind: int) -> str:
    try:
        return GGMLQuantizationType(kind).name
    except ValueError:
        return f"type {kind}"


class _HeaderReader:
    """One pass over an open file of `size_bytes`."""

    def __init__(self, file: BinaryIO, size_bytes: int) -> None:
        self._file = file
        self._size_bytes = size_bytes

    def read(self) -> GGUFHeader:
        if self._bytes(4) != MAGIC:
            raise GGUFError("not a GGUF file")
        version = self._number("<I")
        if version not in VERSIONS:
            raise GGUFError(f"GGUF version {version} is not one of {VERSIONS}")
        tensor_count = self._count(SMALLEST_ENTRY_BYTES)
        entry_count = self._count(SMALLEST_ENTRY_BYTES)
        metadata = dict(self._entry() for _ in range(entry_count))
        if len(metadata) != entry_count:
            raise GGUFError("two entries of the metadata have the same key")
        tensors = [self._tensor() for _ in range(tensor_count)]
        by_name = {tensor.name: tensor for tensor in self._placed(tensors, metadata)}
        if len(by_name) != tensor_count:
            raise GGUFError("two tensors have the same name")
        return GGUFHeader(metadata=metadata, tensors=by_name)

    def _entry(self) -> tuple[str, Any]:
        key = self._string()
        return key, self._value(self._number("<I"))

    def _value(self, kind: int) -> Any:
        if kind == STRING:
            return self._string()
        if kind == ARRAY:
            return self._array()
        return self._number(self._format(kind))

    def _array(self) -> list[Any]:
        kind = self._number("<I")
        if kind == STRING:
            return [self._string() for _ in range(self._count(8))]
        layout = self._format(kind)
        count = self._count(struct.calcsize(layout))
        many = f"<{count}{layout[1:]}"
        return list(struct.unpack(many, self._bytes(struct.calcsize(many))))

    def _tensor(self) -> Tensor:
        """Read a tensor's description; its offset counts from the data's start."""
        name = self._string()
        dimensions = self._number("<I")
        if not 1 <= dimensions <= MAX_DIMENSIONS:
            raise GGUFError(f"tensor {name} has {dimensions} dimensions")
        lengths = [self._number("<Q") for _ in range(dimensions)]
        kind, offset = self._number("<I"), self._number("<Q")
        type_name = _type_name(kind)
        if type_name not in PLAIN and type_name not in BITS:
            known = ", ".join((*PLAIN, *BITS))
            raise GGUFError(f"tensor {name} is {type_name}; imported are {known}")
        block_values, block_bytes = GGML_QUANT_SIZES[GGMLQuantizationType(kind)]
        if lengths[0] % block_values:
            raise GGUFError(f"tensor {name}: rows of {lengths[0]} are no whole blocks")
        size_bytes = math.prod(lengths) // block_values * block_bytes
        return Tensor(name, type_name, tuple(reversed(lengths)), offset, size_bytes)

    def _placed(
        self, tensors: list[Tensor], metadata: dict[str, Any]
    ) -> Iterator[Tensor]:
        """Give each tensor its offset in the file, which has to hold all of it."""
        alignment = metadata.get("general.alignment", DEFAULT_ALIGNMENT)
        if not isinstance(alignment, int) or not 1 <= alignment <= MAX_ALIGNMENT:
            raise GGUFError(f"an alignment of {alignment!r} makes no sense")
        data_start = math.ceil(self._file.tell() / alignment) * alignment
        for tensor in tensors:
            offset = data_start + tensor.offset
            if offset + tensor.size_bytes > self._size_bytes:
                raise GGUFError(f"tensor {tensor.name} reaches past the file's end")
            yield replace(tensor, offset=offset)

    def _format(self, kind: int) -> str:
        if kind not in NUMBERS:
            raise GGUFError(f"a metadata value of type {kind} is not known")
        return NUMBERS[kind]

    def _string(self) -> str:
        raw = self._bytes(self._count(1, limit=MAX_TEXT_BYTES))
        try:
            return raw.decode()
        except UnicodeDecodeError as error:
            raise GGUFError("a text in the header is not UTF-8") from error

    def _count(self, item_bytes: int, *, limit: int = MAX_ITEMS) -> int:
        """Read a count of items that each take at least `item_bytes`."""
        count: int = self._number("<Q")
        if count * item_bytes > self._size_bytes - self._file.tell():
            raise GGUFError(f"the header announces {count} items; the file is smaller")
        if count > limit:
            raise GGUFError(f"the header announces {count} items; {limit} are allowed")
        return count

    def _number(self, layout: str) -> Any:
        return struct.unpack(layout, self._bytes(struct.calcsize(layout)))[0]

    def _bytes(self, count: int) -> bytes:
        raw = self._file.read(count)
        if len(raw) != count:
            raise GGUFError("the file ends within its header")
        return raw
