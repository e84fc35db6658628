"""One tensor of a GGUF file as arrays: plain, or packed as MLX packs.

llama.cpp's own package says what the bytes of a block stand for. Where a block is made
of groups of 32 numbers with `value = scale * number + bias`, it is a group of MLX with
other bytes, and holds exactly the file's values: scales are kept in float32. Other
blocks are quantized anew, with bits to spare.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import mlx.core as mx
import numpy as np
from gguf.constants import GGML_QUANT_SIZES, GGMLQuantizationType
from gguf.quants import Q4_K, dequantize

from inference.engine.gguf.header import BITS, GGUFError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from inference.engine.gguf.header import Tensor
    from inference.engine.gguf.layers import TensorPlace

Array = np.ndarray[Any, np.dtype[Any]]
Scales = tuple[Array, Array]

GROUP_SIZE = 32
# Rows are read a few at a time: their float32 values take four to ten times as much
# memory as what is made of them.
VALUES_AT_A_TIME = 8 << 20
FLOAT32, FLOAT16, BFLOAT16, PACKED = "float32", "float16", "bfloat16", "packed"
PLAIN_FORMS = {FLOAT32: mx.float32, FLOAT16: mx.float16, BFLOAT16: mx.bfloat16}


@dataclass(frozen=True, slots=True)
class Weight:
    """One tensor on its way: from where in the file to which place in which form."""

    tensor: Tensor
    place: TensorPlace
    form: str

    @property
    def bits(self) -> int:
        """How many bits a packed value has; 0 for a plain one."""
        return BITS[self.tensor.type_name] if self.form == PACKED else 0

    @property
    def value_count(self) -> int:
        """How many values it holds."""
        return math.prod(self.tensor.shape)

    @property
    def size_bytes(self) -> int:
        """How much its arrays take."""
        if self.form == PACKED:
            scale_and_bias = 2 * 4
            groups = self.value_count // GROUP_SIZE
            return self.value_count * self.bits // 8 + groups * scale_and_bias
        return self.value_count * int(PLAIN_FORMS[self.form].size)

    def arrays(self, source: Path) -> Iterator[tuple[str, mx.array]]:
        """Read it, and yield each array that is stored, with its name.

        Raises:
            GGUFError: a block's scale is no number.
        """
        module = self.place.name.removesuffix(".weight")
        names = (self.place.name, f"{module}.scales", f"{module}.biases")
        pieces = [self._stored(rows) for rows in self._slices(source)]
        rows_first = (*self.tensor.shape[:-1], -1)
        for name, parts in zip(names, zip(*pieces, strict=True), strict=False):
            whole = mx.concatenate(parts).reshape(rows_first)
            ordered = _in_order(whole, self.place.heads)
            mx.eval(ordered)
            yield name, ordered

    def values(self, source: Path) -> Array:
        """Read a small one as float32."""
        rows = [self._values(rows) for rows in self._slices(source)]
        return np.concatenate(rows).reshape(self.tensor.shape)

    def _slices(self, source: Path) -> Iterator[Array]:
        """Yield the bytes of some rows after those of others."""
        *rows, columns = self.tensor.shape
        raw = np.memmap(
            source,
            dtype=np.uint8,
            mode="r",
            offset=self.tensor.offset,
            shape=(self.tensor.size_bytes,),
        ).reshape(math.prod(rows), -1)
        step = max(1, VALUES_AT_A_TIME // columns)
        for start in range(0, len(raw), step):
            yield np.asarray(raw[start : start + step])

    def _stored(self, rows: Array) -> Sequence[mx.array]:
        values = self._values(rows)
        if self.form != PACKED:
            plain = mx.array(values - np.float32(self.place.offset))
            stored = [plain.astype(PLAIN_FORMS[self.form])]
        elif self.tensor.type_name in AFFINE:
            scales, biases = AFFINE[self.tensor.type_name](self._blocks(rows))
            numbers = _packed(values, scales, biases, self.bits)
            groups = (len(rows), -1)
            parts = (numbers, scales.reshape(groups), biases.reshape(groups))
            stored = [mx.array(part) for part in parts]
        else:
            stored = mx.quantize(
                mx.array(values), group_size=GROUP_SIZE, bits=self.bits
            )
        # Computed here and now: an array to be would keep hold of its values.
        mx.eval(*stored)
        return stored

    def _blocks(self, rows: Array) -> Array:
        _, block_bytes = GGML_QUANT_SIZES[GGMLQuantizationType[self.tensor.type_name]]
        return rows.reshape(-1, block_bytes)

    def _values(self, rows: Array) -> Array:
        # Scales that are no numbers are looked for, and need no warning before.
        with np.errstate(invalid="ignore", over="ignore"):
            values = dequantize(rows, GGMLQuantizationType[self.tensor.type_name])
        if self.tensor.type_name in BITS and not np.isfinite(values).all():
            raise GGUFError("a block's scale is no finite number")
        return values


def _packed(values: Array, scales: Array, biases: Array, bits: int) -> Array:
    """Return the words that MLX packs those numbers in that `values` are made of.

    Bits follow each other without a gap, the lowest of the first number first.
    """
    groups = values.reshape(-1, GROUP_SIZE) - biases[:, None]
    numbers = np.divide(
        groups, scales[:, None], out=np.zeros_like(groups), where=scales[:, None] != 0
    )
    whole = numbers.round().clip(0, 2**bits - 1).astype(np.uint64).reshape(-1, 8)
    # Eight numbers of so many bits are so many bytes.
    words = whole[:, 0].copy()
    for place in range(1, 8):
        words |= whole[:, place] << np.uint64(bits * place)
    octets = words.astype("<u8").view(np.uint8).reshape(-1, 8)[:, :bits]
    return np.ascontiguousarray(octets).reshape(len(values), -1).view("<u4")


def _half_at(blocks: Array, start: int) -> Array:
    """Read one float16 of each block, as float32."""
    column = np.ascontiguousarray(blocks[:, start : start + 2])
    return column.view("<f2").astype(np.float32).reshape(-1)


def _around(zero: int, blocks: Array) -> Scales:
    """A scale; the number `zero` stands for zero."""
    scales = _half_at(blocks, 0)
    return scales, scales * np.float32(-zero)


def _from_least(blocks: Array) -> Scales:
    """A scale, and the least value."""
    return _half_at(blocks, 0), _half_at(blocks, 2)


def _of_eight(blocks: Array) -> Scales:
    """Scales and least values of eight groups, as shares of those of the block."""
    scales, least = Q4_K.get_scale_min(np.ascontiguousarray(blocks[:, 4:16]))
    scales = scales * _half_at(blocks, 0)[:, None]
    least = least * _half_at(blocks, 2)[:, None]
    return scales.reshape(-1), -least.reshape(-1)


# Types whose groups of 32 are groups of MLX: where their scales and biases lie.
AFFINE: dict[str, Callable[[Array], Scales]] = {
    "Q4_0": partial(_around, 8),
    "Q4_1": _from_least,
    "Q5_0": partial(_around, 16),
    "Q5_1": _from_least,
    "Q8_0": partial(_around, 128),
    "IQ4_NL": partial(_around, 128),
    "Q4_K": _of_eight,
    "Q5_K": _of_eight,
}


def _in_order(rows: mx.array, heads: int) -> mx.array:
    """Undo llama.cpp's order of rows: per head (half, 2) becomes (2, half).

    Packed numbers, scales and biases alike have one row per output.
    """
    if not heads:
        return rows
    half = rows.shape[0] // heads // 2
    folded = rows.reshape(heads, half, 2, *rows.shape[1:])
    return folded.swapaxes(1, 2).reshape(rows.shape)
