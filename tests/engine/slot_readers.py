"""Attention over slots as the kernels do it, for machines that have none."""

from __future__ import annotations

from typing import TYPE_CHECKING

import mlx.core as mx

if TYPE_CHECKING:
    from inference.engine.row_caches.slots import SlotCache


class ReadsSlots:
    """Attention over slots with the library, each row alone; it writes where told."""

    def __init__(self, *, writes: bool = False, likes_few_shapes: bool = False) -> None:
        self.writes = writes
        self.likes_few_shapes = likes_few_shapes
        self.rows_given: list[int] = []

    def __call__(self, queries: mx.array, cache: SlotCache, scale: float) -> mx.array:
        self.rows_given.append(queries.shape[0])
        slots = cache.seats.slot_numbers().tolist()
        offsets = cache.seats.offset().tolist()
        found = []
        for row, (slot, held) in enumerate(zip(slots, offsets, strict=True)):
            if self.writes:
                self._write(cache, row, slot, held)
            keys, values = cache.row(slot, held + 1)
            one = queries[row : row + 1]
            found.append(
                mx.fast.scaled_dot_product_attention(one, keys, values, scale=scale)
            )
        return mx.concatenate(found)

    @staticmethod
    def _write(cache: SlotCache, row: int, slot: int, held: int) -> None:
        assert cache.newest is not None
        for array, new in zip(cache.state, cache.newest, strict=True):
            array[slot, :, held] = new[row, :, 0]


class ForgetsTheNewest(ReadsSlots):
    """A kernel with a fault: it does not see the token that it is asked about."""

    @staticmethod
    def _write(cache: SlotCache, row: int, slot: int, held: int) -> None:
        """Write nothing."""
