"""Keys and values of one attention layer, kept quantized, for one row or a batch.

Each vector is quantized as it arrives and never again: an answer depends neither
on how its prompt was cut into chunks nor on the rows beside it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeAlias

import mlx.core as mx
from mlx_lm.models.base import scaled_dot_product_attention
from mlx_lm.models.cache import KVCache

if TYPE_CHECKING:
    from collections.abc import Iterable

# Packed integers, scales, biases.
Packed: TypeAlias = "tuple[mx.array, mx.array, mx.array]"

GROUP_SIZES = (64, 32)
# Up to so many new positions, attention reads the packed integers; with more of
# them the library's quantized attention is several times slower than unpacking,
# and holds a score for each pair of positions.
PACKED_POSITIONS = 1


@dataclass(frozen=True, slots=True)
class Quantization:
    """How a layer's keys and values are kept.

    `bits` is 4 or 8; `group_size` says how many numbers share a scale.
    `is_read_packed` says that the layer's attention can read packed integers; else
    they are unpacked for it, one layer at a time.
    """

    bits: int
    group_size: int
    is_read_packed: bool

    def pack(self, numbers: mx.array) -> Packed:
        """Quantize along the last axis, which `group_size` divides."""
        packed, scales, biases = mx.quantize(
            numbers, group_size=self.group_size, bits=self.bits
        )
        return packed, scales, biases

    def unpack(self, packed: Packed) -> mx.array:
        """Return the numbers in the precision they came in, rounded."""
        return mx.dequantize(*packed, group_size=self.group_size, bits=self.bits)


def group_size_for(*dimensions: int) -> int | None:
    """Return the group size that divides all head dimensions, None where none does."""
    for size in GROUP_SIZES:
        if all(dimension and dimension % size == 0 for dimension in dimensions):
            return size
    return None


class QuantizedCache:
    """Stands where mlx-lm has a `KVCache` or a `BatchKVCache`, with their interface.

    Three of those lie inside, for the packed integers, the scales and the biases;
    each holds the part of the keys as its keys, that of the values as its values.
    What they do when rows join, leave or are padded, they do alike.
    """

    def __init__(
        self, quantization: Quantization, parts: Iterable[Any] | None = None
    ) -> None:
        """Take the three caches inside; without them, make an empty row's."""
        self.quantization = quantization
        self.parts = tuple(parts or (KVCache(), KVCache(), KVCache()))
        self._is_packed = False

    # --- what attention asks

    @property
    def bits(self) -> int:
        """Bits a number; absent (`hasattr`) while plain arrays are handed out.

        That is how mlx-lm's attention decides what it was given.
        """
        if not self._is_packed:
            raise AttributeError("The keys and values were handed out unpacked.")
        return self.quantization.bits

    @property
    def group_size(self) -> int:
        """How many numbers share a scale."""
        return self.quantization.group_size

    @property
    def offset(self) -> Any:
        """The next position: a number, in a batch an array with one for each row."""
        return self.parts[0].offset

    def update_and_fetch(self, keys: mx.array, values: mx.array) -> tuple[Any, Any]:
        """Add (rows, heads, positions, dimensions) and return all, packed or not."""
        self._is_packed = (
            self.quantization.is_read_packed and keys.shape[2] <= PACKED_POSITIONS
        )
        packed = zip(
            self.parts,
            self.quantization.pack(keys),
            self.quantization.pack(values),
            strict=True,
        )
        for part, some_keys, some_values in packed:
            part.update_and_fetch(some_keys, some_values)
        # Only the first part's offsets are ever computed; the sums of the others
        # would wait for ever and pile up.
        for part in self.parts[1:]:
            part.offset = self.parts[0].offset
        return self.keys_and_values()

    def keys_and_values(self) -> tuple[Any, Any]:
        """Return all keys and values as the last update did."""
        pairs = [part.keys_and_values() for part in self.parts]
        keys, values = zip(*pairs, strict=True)
        if self._is_packed:
            return keys, values
        return self.quantization.unpack(keys), self.quantization.unpack(values)

    def make_mask(self, *args: Any, **kwargs: Any) -> Any:
        """Return the mask for so many new positions, as mlx-lm's caches do."""
        return self.parts[0].make_mask(*args, **kwargs)

    # --- rows

    @classmethod
    def merge(cls, caches: list[QuantizedCache]) -> QuantizedCache:
        """Return a batch of single rows, left-padded to the longest."""
        alike = zip(*(cache.parts for cache in caches), strict=True)
        return cls(
            caches[0].quantization, (parts[0].merge(list(parts)) for parts in alike)
        )

    def extend(self, other: QuantizedCache) -> None:
        """Add the rows of another batch behind this one's."""
        for part, addition in zip(self.parts, other.parts, strict=True):
            part.extend(addition)

    def filter(self, batch_indices: Any) -> None:
        """Keep these rows of the batch, in this order."""
        for part in self.parts:
            part.filter(batch_indices)

    def extract(self, idx: int) -> QuantizedCache:
        """Return one row of the batch without its padding."""
        return QuantizedCache(
            self.quantization, (part.extract(idx) for part in self.parts)
        )

    def prepare(self, **kwargs: Any) -> None:
        """Announce padding of what comes next, as `BatchKVCache.prepare` takes it."""
        for part in self.parts:
            part.prepare(**kwargs)

    def finalize(self) -> None:
        """Turn announced right padding into left padding."""
        for part in self.parts:
            part.finalize()

    # --- size

    def size(self) -> int:
        """Positions held, padding included."""
        return int(self.parts[0].size())

    @property
    def slots(self) -> int:
        """Positions allocated, those not filled yet included."""
        return 0 if self.empty() else int(self.parts[0].keys.shape[2])

    def empty(self) -> bool:
        """Whether nothing was ever added."""
        return bool(self.parts[0].empty())

    def is_trimmable(self) -> bool:
        """Whether the newest positions can be taken back: always."""
        return True

    def trim(self, n: int) -> int:
        """Take the newest `n` positions back and return how many there were."""
        trimmed = [int(part.trim(n)) for part in self.parts]
        return trimmed[0]

    @property
    def state(self) -> Any:
        """All arrays, for `mx.eval`."""
        return [part.state for part in self.parts]

    @property
    def nbytes(self) -> int:
        """Bytes allocated, those not filled yet included."""
        return sum(int(part.nbytes) for part in self.parts)


def attends_packed(plan: Quantization, keys: mx.array, values: mx.array) -> bool:
    """Whether attention over packed integers is right on this device; it is tried.

    `keys` and `values` say which dimensions and type the layer has. MLX 0.32 on
    CUDA has no such kernels for most shapes, and gives wrong numbers for some.
    """
    try:
        packed = _try_attention(replace(plan, is_read_packed=True), keys, values)
        unpacked = _try_attention(replace(plan, is_read_packed=False), keys, values)
        return bool(mx.allclose(packed, unpacked, rtol=0.05, atol=0.05))
    except (RuntimeError, ValueError):
        # A device without such kernels says so when they are to run.
        return False


def _try_attention(plan: Quantization, keys: mx.array, values: mx.array) -> mx.array:
    """Attend from one new position of two rows, one of them padded."""
    rows, heads, positions = 2, 2, 40
    # mlx-lm's packed attention takes shared heads only where all dimensions agree;
    # whether a model's are shared shows when it is run.
    repeats = 2 if keys.shape[-1] == values.shape[-1] else 1

    def some(heads: int, like: mx.array, seed: int) -> mx.array:
        shape = (rows, heads, positions, like.shape[-1])
        return mx.random.normal(shape, key=mx.random.key(seed)).astype(like.dtype)

    cache = QuantizedCache.merge([QuantizedCache(plan) for _ in range(rows)])
    cache.prepare(left_padding=[0, 3])
    queries = some(repeats * heads, keys, seed=0)
    all_keys, all_values = some(heads, keys, seed=1), some(heads, values, seed=2)
    cache.update_and_fetch(all_keys[:, :, :-1], all_values[:, :, :-1])
    mask = cache.make_mask(1)
    fetched = cache.update_and_fetch(all_keys[:, :, -1:], all_values[:, :, -1:])
    attended: mx.array = scaled_dot_product_attention(
        queries[:, :, -1:],
        *fetched,
        cache=cache,
        scale=keys.shape[-1] ** -0.5,
        mask=mask,
    )
    return attended
