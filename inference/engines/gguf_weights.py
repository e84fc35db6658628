"""One tensor of a GGUF file as arrays: plain, or packed as MLX packs.

A block of GGUF is 32 values with a scale of their own, which is a group of MLX with
other bytes: `value = scale * number + bias`. Scales are kept in float32, so both
forms hold exactly the file's values.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import mlx.core as mx
import numpy as np

from inference.engines.gguf_header import GGUFError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from inference.engines.gguf_header import Tensor
    from inference.engines.gguf_layers import TensorPlace

Array = np.ndarray[Any, np.dtype[Any]]

GROUP_SIZE = 32
BITS = {"Q4_0": 4, "Q4_1": 4, "Q8_0": 8}
PLAIN: dict[str, np.dtype[Any]] = {"F32": np.dtype("<f4"), "F16": np.dtype("<f2")}
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
        """Read it, and yield each array that is stored, with its name."""
        raw = np.memmap(
            source,
            dtype=np.uint8,
            mode="r",
            offset=self.tensor.offset,
            shape=(self.tensor.size_bytes,),
        )
        if self.form == PACKED:
            yield from self._packed(raw)
        else:
            values = _in_order(self._values(raw), self.place.heads)
            if self.place.offset:
                values = values - np.float32(self.place.offset)
            yield self.place.name, _to_mlx(values).astype(PLAIN_FORMS[self.form])

    def _values(self, raw: Array) -> Array:
        if self.tensor.type_name in PLAIN:
            values = raw.view(PLAIN[self.tensor.type_name])
            if self.form == FLOAT16 and not self.place.offset:
                return values.reshape(self.tensor.shape)
            return values.astype(np.float32).reshape(self.tensor.shape)
        numbers, scales, biases = _blocks(self.tensor.type_name, raw)
        values = numbers * scales[:, None]
        values += biases[:, None]
        return values.reshape(self.tensor.shape)

    def _packed(self, raw: Array) -> Iterator[tuple[str, mx.array]]:
        module = self.place.name.removesuffix(".weight")
        rows = self.tensor.shape[0]
        numbers, scales, biases = _blocks(self.tensor.type_name, raw)
        packed = _pack(numbers, self.bits).view("<u4")
        for name, array in (
            (self.place.name, packed),
            (f"{module}.scales", scales),
            (f"{module}.biases", biases),
        ):
            ordered = _in_order(array.reshape(rows, -1), self.place.heads)
            yield name, _to_mlx(ordered)


def _blocks(type_name: str, raw: Array) -> tuple[Array, Array, Array]:
    """Return blocks of 32 numbers from 0 up, one scale and one bias for each."""
    return _READERS[type_name](raw)


def _read_q4_0(raw: Array) -> tuple[Array, Array, Array]:
    blocks = raw.reshape(-1, 2 + 16)
    scales = _halves(blocks[:, :2])
    return _nibbles(blocks[:, 2:]), scales, scales * np.float32(-8)


def _read_q4_1(raw: Array) -> tuple[Array, Array, Array]:
    blocks = raw.reshape(-1, 4 + 16)
    return _nibbles(blocks[:, 4:]), _halves(blocks[:, :2]), _halves(blocks[:, 2:4])


def _read_q8_0(raw: Array) -> tuple[Array, Array, Array]:
    blocks = raw.reshape(-1, 2 + 32)
    scales = _halves(blocks[:, :2])
    # From -128…127 to 0…255: the same bytes with the topmost bit turned.
    return blocks[:, 2:] ^ np.uint8(0x80), scales, scales * np.float32(-128)


_READERS: dict[str, Callable[[Array], tuple[Array, Array, Array]]] = {
    "Q4_0": _read_q4_0,
    "Q4_1": _read_q4_1,
    "Q8_0": _read_q8_0,
}


def _halves(columns: Array) -> Array:
    """Read one float16 per block, as float32."""
    values = np.ascontiguousarray(columns).view("<f2").astype(np.float32)
    if not np.isfinite(values).all():
        raise GGUFError("a block's scale is no finite number")
    return values.reshape(-1)


def _nibbles(columns: Array) -> Array:
    """Return 32 numbers for 16 bytes: the lower halves come first."""
    return np.concatenate([columns & np.uint8(0x0F), columns >> 4], axis=1)


def _pack(numbers: Array, bits: int) -> Array:
    """Return the bytes of MLX's order: the first of two numbers is the lower half."""
    if bits == 8:
        return np.ascontiguousarray(numbers)
    return np.ascontiguousarray(numbers[:, 0::2] | (numbers[:, 1::2] << 4))


def _in_order(rows: Array, heads: int) -> Array:
    """Undo llama.cpp's order of rows: per head (half, 2) becomes (2, half).

    Packed numbers, scales and biases alike have one row per output.
    """
    if not heads:
        return rows
    half = rows.shape[0] // heads // 2
    folded = rows.reshape(heads, half, 2, *rows.shape[1:])
    return folded.swapaxes(1, 2).reshape(rows.shape)


def _to_mlx(values: Array) -> mx.array:
    return mx.array(np.ascontiguousarray(values))
