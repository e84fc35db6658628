"""Keys and values of rows that come and go: each row in a slot, laid out ahead.

A row joins by writing its slot and leaves by being forgotten. Its tokens begin at the
slot's first column, so rows of different lengths need no padding, and what lies behind
a row's last token is never read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import mlx.core as mx
from mlx_lm.models.cache import KVCache

if TYPE_CHECKING:
    from inference.engine.row_caches.row_slots import RowSlots


class SlotAttention(Protocol):
    """Attention of one new token for each row, over the slots themselves.

    `writes` says that it puts the new tokens' keys and values into their slots, too,
    `likes_few_shapes` that idle rows cost less than a number of rows not seen before.
    """

    @property
    def writes(self) -> bool:
        """Whether the cache leaves writing to it."""

    @property
    def likes_few_shapes(self) -> bool:
        """Whether rows are best rounded up to one of few numbers."""

    def __call__(self, queries: mx.array, cache: SlotCache, scale: float) -> mx.array:
        """Attend from (rows, heads, 1, dimensions) to all that each row holds."""


class RowCache(KVCache):  # type: ignore[misc]
    """A single row's keys and values in one layer, of a model that runs over slots.

    `attention` reads rows of different lengths without a mask, where there is one.
    """

    def __init__(self, attention: SlotAttention | None = None) -> None:
        """Take the kernel of the layer; begin empty."""
        super().__init__()
        self.attention = attention


class SlotCache:
    """One layer's keys and values, (slots, heads, columns, dimensions).

    To a model it is what mlx-lm's `BatchKVCache` is.
    """

    def __init__(self, seats: RowSlots, attention: SlotAttention | None = None) -> None:
        self.seats = seats
        self.attention = attention
        self.keys: mx.array | None = None
        self.values: mx.array | None = None
        self.newest: tuple[mx.array, mx.array] | None = None
        self._updated_in, self._tokens = -1, 0

    # --- what a model asks

    @property
    def offset(self) -> mx.array:
        """The next position of each row."""
        is_ahead = self._updated_in == self.seats.passes
        return self.seats.offset(self._tokens if is_ahead else 0)

    def make_mask(
        self, tokens: int, return_array: bool = False, window_size: int | None = None
    ) -> mx.array | str | None:
        """Return the mask for so many new tokens; None where attention needs none."""
        if self.reads_ragged(tokens) and not window_size:
            return None
        return self.seats.mask(tokens, window=window_size, as_array=return_array)

    def update_and_fetch(
        self, keys: mx.array, values: mx.array
    ) -> tuple[mx.array, mx.array]:
        """Add (rows, heads, tokens, dimensions) and return all up to the longest row."""
        seats, tokens = self.seats, keys.shape[2]
        seats.lay_out(tokens)
        self.keys = self._fitted(self.keys, keys)
        self.values = self._fitted(self.values, values)
        self._updated_in, self._tokens = seats.passes, tokens
        if self.reads_ragged(tokens) and self.attention and self.attention.writes:
            # Nobody but the kernel reads what is returned.
            self.newest = (keys, values)
            return keys, values
        self._write(self.keys, keys)
        self._write(self.values, values)
        return self.keys_and_values()

    def keys_and_values(self) -> tuple[mx.array, mx.array]:
        """Return all up to the longest row, as the last update did."""
        assert self.keys is not None
        assert self.values is not None
        rows, end = len(self.seats), self.seats.reach(self._tokens)
        return self.keys[:rows, :, :end], self.values[:rows, :, :end]

    def reads_ragged(self, tokens: int) -> bool:
        """Whether the layer's attention takes the slots themselves."""
        return self.attention is not None and tokens == 1 and self.seats.follows

    # --- rows

    def put(self, slots: list[int], keys: mx.array, values: mx.array) -> None:
        """Write rows from the first column on, into slots that are neighbours."""
        self.keys = self._fitted(self.keys, keys)
        self.values = self._fitted(self.values, values)
        which, width = slice(slots[0], slots[-1] + 1), keys.shape[2]
        self.keys[which, :, :width] = keys
        self.values[which, :, :width] = values

    def move(self, moves: dict[int, int], held: dict[int, int]) -> None:
        """Write rows from slots into other slots."""
        found = {old: self.row(old, held[old]) for old in moves}
        for old, new in moves.items():
            self.put([new], *found[old])

    def row(self, slot: int, held: int) -> tuple[mx.array, mx.array]:
        """Return a row's keys and values without what lies behind them."""
        assert self.keys is not None
        assert self.values is not None
        which = slice(slot, slot + 1)
        keys, values = self.keys[which, :, :held], self.values[which, :, :held]
        if self.attention is not None and self.attention.writes:
            # MLX does not know of those writes: nothing may share the cache's memory.
            return keys * 1, values * 1
        return keys, values

    def shrink(self) -> None:
        """Give slots back that are no longer laid out."""
        if self.keys is not None and self.values is not None:
            self.keys = mx.contiguous(self.keys[: self.seats.laid_out])
            self.values = mx.contiguous(self.values[: self.seats.laid_out])

    # --- size

    def empty(self) -> bool:
        """Whether nothing was ever added."""
        return self.keys is None

    def size(self) -> int:
        """Tokens of the longest row."""
        return max(self.seats.held)

    def is_trimmable(self) -> bool:
        """Whether the newest tokens can be taken back: by `RowSlots`, not here."""
        return False

    @property
    def state(self) -> list[mx.array]:
        """All arrays, for `mx.eval`."""
        found = (self.keys, self.values)
        return [array for array in found if array is not None]

    @property
    def nbytes(self) -> int:
        """Bytes laid out, those not filled yet included."""
        return sum(int(array.nbytes) for array in self.state)

    def _write(self, array: mx.array, new: mx.array) -> None:
        seats, tokens = self.seats, new.shape[2]
        if seats.is_level and seats.is_dense:
            start = seats.held[0]
            array[: len(seats), :, start : start + tokens] = new
        else:
            slots, columns = seats.targets(tokens)
            array[slots, :, columns] = new.transpose(0, 2, 1, 3)

    def _fitted(self, array: mx.array | None, like: mx.array) -> mx.array:
        """Return the array with room for all slots and columns that are laid out."""
        slots, columns = self.seats.laid_out, self.seats.columns
        if array is None:
            shape = (slots, like.shape[1], columns, like.shape[3])
            return mx.zeros(shape, like.dtype)
        more = (slots - array.shape[0], columns - array.shape[2])
        if max(more) <= 0:
            return array
        behind = [(0, max(0, one)) for one in more]
        return mx.pad(array, [behind[0], (0, 0), behind[1], (0, 0)])
