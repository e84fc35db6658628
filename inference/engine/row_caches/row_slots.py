"""Which slot each row of a batch has, and how far it is: noted once for all layers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import mlx.core as mx
from mlx_lm.models.base import create_causal_mask

if TYPE_CHECKING:
    from collections.abc import Callable

# Columns are laid out by this many, as mlx-lm's caches do.
COLUMNS_STEP = 256


class RowSlots:
    """Which slot each row has and how many tokens it holds, for all layers.

    Arrays are made once for each pass of the model. Where attention `follows` slots,
    a row stays in the one that it got; else rows lie in the first slots, in order.
    `idle` rows run along behind the others, in a slot that is nobody's, so that a pass
    has one of few shapes.
    """

    def __init__(self, held: list[int], *, follows: bool = False) -> None:
        self.held = list(held)
        self.slots = list(range(len(held)))
        self.follows = follows
        self.room = len(held)
        self.idle = 0
        self.columns = 0
        self.passes = 0
        self.moves = 0
        self._arrays: dict[tuple[Any, ...], Any] = {}

    def __len__(self) -> int:
        return len(self.held)

    @property
    def is_level(self) -> bool:
        """Whether all rows hold the same number of tokens."""
        return min(self.held) == max(self.held)

    @property
    def is_dense(self) -> bool:
        """Whether the rows lie in the first slots, in order."""
        return self.slots == list(range(len(self.slots)))

    @property
    def laid_out(self) -> int:
        """How many slots there are, nobody's included."""
        return self.room + self.follows

    def reach(self, tokens: int) -> int:
        """Return the end of the longest row once it has so many more tokens."""
        return max(self.held) + tokens

    def advance(self, tokens: int) -> None:
        """Count tokens that every row was given; those of `take_back` included."""
        self.held = [held + tokens for held in self.held]
        self._changed()

    def take_back(self, padding: list[int]) -> None:
        """Forget the newest tokens of each row: they were none of its own."""
        pairs = zip(self.held, padding, strict=True)
        self.held = [held - pad for held, pad in pairs]
        self._changed()

    def seat(self, held: list[int]) -> list[int]:
        """Give further rows slots, neighbours where possible, and return them."""
        taken = set(self.slots)
        free = [slot for slot in range(self.room) if slot not in taken]
        if len(free) < len(held):
            missing = len(held) - len(free)
            grown = self.room + max(missing, -(-self.room // 2))
            free += range(self.room, grown)
            self.room = grown
        found = _neighbours(free, len(held))
        self.slots += found
        self.held += held
        self._changed()
        return found

    def run_along(self, idle: int) -> None:
        """Have so many idle rows run along from now on."""
        if idle != self.idle:
            self.idle = idle
            self._changed()

    def keep(self, places: list[int]) -> None:
        """Keep these rows, in this order."""
        self.slots = [self.slots[place] for place in places]
        self.held = [self.held[place] for place in places]
        self._changed()

    def close_up(self) -> dict[int, int]:
        """Have rows lie in the first slots, in order; return who moves, from -> to."""
        moves = {old: new for new, old in enumerate(self.slots) if old != new}
        self.slots = list(range(len(self.slots)))
        self.moves += len(moves)
        self._changed()
        return moves

    def lay_out(self, tokens: int) -> None:
        """See to columns for so many more tokens of each row."""
        if (reach := self.reach(tokens)) > self.columns:
            ahead = reach + min(reach // 8, COLUMNS_STEP)
            self.columns = -(-ahead // COLUMNS_STEP) * COLUMNS_STEP

    # --- arrays for a pass

    def offset(self, ahead: int = 0) -> mx.array:
        """Return each row's next position."""
        return self._once(
            ("offset", ahead),
            lambda: mx.array([held + ahead for held in [*self.held, *self._nothing]]),
        )

    def slot_numbers(self) -> mx.array:
        """Return each row's slot, (rows,)."""
        slots = [*self.slots, *(self.room for _ in self._nothing)]
        return self._once(("slots",), lambda: mx.array(slots, dtype=mx.int32))

    def targets(self, tokens: int) -> tuple[mx.array, mx.array]:
        """Return the slots and columns of the next tokens, for an assignment."""
        found: tuple[mx.array, mx.array] = self._once(
            ("targets", tokens),
            lambda: (self.slot_numbers()[:, None], self._positions(tokens)),
        )
        return found

    def mask(
        self, tokens: int, *, window: int | None, as_array: bool
    ) -> mx.array | str | None:
        """Return what the next tokens may attend to, as mlx-lm's caches do."""
        return self._once(
            ("mask", tokens, window, as_array),
            lambda: self._mask(tokens, window, as_array=as_array),
        )

    def _mask(
        self, tokens: int, window: int | None, *, as_array: bool
    ) -> mx.array | str | None:
        is_windowed = bool(window) and self.reach(tokens) > (window or 0)
        if self.is_level and not is_windowed:
            if tokens == 1:
                return None
            if not as_array:
                return "causal"
        if self.is_level:
            return create_causal_mask(tokens, self.held[0], window_size=window)
        at = self._positions(tokens)[:, None, :, None]
        columns = mx.arange(self.reach(tokens))
        mask: mx.array = columns <= at
        return mask & (at < columns + window) if window else mask

    @property
    def _nothing(self) -> list[int]:
        """What idle rows hold."""
        return [0] * self.idle

    def _positions(self, tokens: int) -> mx.array:
        return self.offset()[:, None] + mx.arange(tokens)

    def _once(self, name: tuple[Any, ...], make: Callable[[], Any]) -> Any:
        if name not in self._arrays:
            self._arrays[name] = make()
        return self._arrays[name]

    def _changed(self) -> None:
        self.passes += 1
        self._arrays = {}


def _neighbours(free: list[int], count: int) -> list[int]:
    """Return so many free slots, ascending; side by side where there are such."""
    for start in range(len(free) - count + 1):
        if free[start + count - 1] - free[start] == count - 1:
            return free[start : start + count]
    return free[:count]
