"""Rows in slots: who comes and goes is noted, and only who comes is written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import mlx.core as mx

from inference.engine.caches.probe import ROWS
from inference.engine.caches.row_places import RowPlaces
from inference.engine.row_caches.lone_row import LoneRow
from inference.engine.row_caches.row_slots import RowSlots
from inference.engine.row_caches.slots import RowCache, SlotCache

if TYPE_CHECKING:
    from collections.abc import Sequence

    from inference.engine.caches.probe import MakeCaches
    from inference.engine.row_caches.lone_row import Rows


class SlotRows:
    """A batch in slots, for layers that all hold plain keys and values."""

    def __init__(self, caches: list[Any], seats: RowSlots) -> None:
        self.caches = caches
        self.seats = seats
        self._padding: list[int] = []

    @classmethod
    def of(cls, rows: Sequence[list[Any]]) -> SlotRows:
        """Return rows that run together, from the caches of each."""
        first = _layers(rows[0])
        held = [int(_layers(row)[0].offset) for row in rows]
        seats = RowSlots(held, follows=first[0].attention is not None)
        slots = (SlotCache(seats, layer.attention) for layer in first)
        places = [RowPlaces.merge([row[-1] for row in rows])] if _sees(rows[0]) else []
        found = cls([*slots, *places], seats)
        seats.lay_out(0)
        for slot, row in enumerate(rows):
            if held[slot]:
                found._put_row([slot], row, held[slot])
        return found

    def __len__(self) -> int:
        return len(self.seats)

    def for_step(self, tokens: mx.array) -> mx.array:
        """Return the tokens, where few shapes are better with those of idle rows."""
        first = self.caches[0]
        if first.attention is None or not first.attention.likes_few_shapes:
            return tokens
        self.seats.run_along(even_number(len(self)) - len(self))
        return mx.pad(tokens, (0, self.seats.idle)) if self.seats.idle else tokens

    def advance(self, tokens: int) -> None:
        """Count tokens that the model was given for every row."""
        self.seats.advance(tokens)

    def pad(self, lengths: list[int], padding: list[int]) -> None:
        """Announce padding behind the rows."""
        self._padding = padding
        for cache in self.caches[len(_layers(self.caches)) :]:
            cache.prepare(right_padding=padding)

    def unpad(self) -> None:
        """Have padding be free columns again."""
        self.seats.take_back(self._padding)
        for cache in self.caches[len(_layers(self.caches)) :]:
            cache.finalize()

    def row(self, place: int) -> list[Any]:
        """Return one row's caches; they share its numbers until they are computed."""
        slot, held = self.seats.slots[place], self.seats.held[place]
        found: list[Any] = []
        for cache in self.caches:
            if not isinstance(cache, SlotCache):
                found.append(cache.extract(place))
                continue
            row = RowCache(cache.attention)
            if not cache.empty():
                row.keys, row.values = cache.row(slot, held)
                row.offset = held
            found.append(row)
        return found

    def order_without(self, gone: set[int]) -> list[int]:
        """Return the places of the rows that stay; the last fill what holes there are."""
        stay = [place for place in range(len(self)) if place not in gone]
        if self.seats.follows:
            return stay
        holes = [place for place in range(len(stay)) if place in gone]
        late = {hole: stay.pop() for hole in holes}
        return [late.get(place, place) for place in range(len(stay) + len(late))]

    def taken(self, places: list[int]) -> Rows:
        """Return these rows alone, some perhaps repeated."""
        if len(places) == 1:
            return LoneRow(self.row(places[0]), SlotRows.of)
        if len(set(places)) < len(places):
            return SlotRows.of([self.row(place) for place in places])
        self.seats.keep(places)
        for cache in self.caches[len(_layers(self.caches)) :]:
            cache.filter(places)
        if not self.seats.follows or 4 * len(places) <= self.seats.room:
            self._close_up()
        return self

    def joined_by(self, others: Rows, places: list[int]) -> Rows:
        """Return these rows with others behind them, written into free slots."""
        if isinstance(others, SlotRows) and _is_run(others.seats.slots, places):
            self._take_run(others, places)
        else:
            for place in places:
                self._add_row(others.row(place))
        return self

    def _take_run(self, others: SlotRows, places: list[int]) -> None:
        """Take rows over that lie side by side, all at once where slots do, too."""
        held = [others.seats.held[place] for place in places]
        slots = self.seats.seat(held)
        self.seats.lay_out(0)
        first, width = others.seats.slots[places[0]], max(held)
        if not _is_run(slots, list(range(len(slots)))):
            for slot, place, some in zip(slots, places, held, strict=True):
                self._put_row([slot], others.row(place), some)
        else:
            which = slice(first, first + len(places))
            for cache, other in zip(self.caches, others.caches, strict=True):
                if isinstance(cache, SlotCache) and not other.empty():
                    columns = slice(0, width)
                    cache.put(
                        slots,
                        other.keys[which, :, columns],
                        other.values[which, :, columns],
                    )
        for cache, other in zip(self.caches, others.caches, strict=True):
            if not isinstance(cache, SlotCache):
                for place in places:
                    cache.extend(other.extract(place))

    def _add_row(self, row: list[Any]) -> None:
        held = int(_layers(row)[0].offset)
        slots = self.seats.seat([held])
        self.seats.lay_out(0)
        if held:
            self._put_row(slots, row, held)
        for cache, addition in zip(self.caches, row, strict=True):
            if not isinstance(cache, SlotCache):
                cache.extend(addition)

    def _put_row(self, slots: list[int], row: list[Any], held: int) -> None:
        for cache, layer in zip(self.caches, row, strict=True):
            if isinstance(cache, SlotCache) and not layer.empty():
                cache.put(slots, layer.keys[:, :, :held], layer.values[:, :, :held])

    def _close_up(self) -> None:
        """Have the rows lie in the first slots, and give back what is much too much."""
        seats = self.seats
        held = dict(zip(seats.slots, seats.held, strict=True))
        moves = seats.close_up()
        layers = [cache for cache in self.caches if isinstance(cache, SlotCache)]
        for cache in layers:
            if not cache.empty():
                cache.move(moves, held)
        if 4 * len(seats) <= seats.room:
            seats.room = len(seats) + -(-len(seats) // 2)
            for cache in layers:
                cache.shrink()


def runs_in_slots(
    model: Any, make: MakeCaches, *, seen: list[Any] | None = None
) -> bool:
    """Whether rows run together in slots, through a padded chunk and a step.

    Nothing is computed: what does not fit is refused while the graph is built. `seen`
    is given the caches of the rows.
    """
    if not fit_slots(make()):
        return False
    padding = [0] + [1] * (ROWS - 1)
    try:
        rows = SlotRows.of([make() for _ in range(ROWS)])
        if seen is not None:
            seen += rows.caches
        rows.pad([2 - pad for pad in padding], padding)
        model(mx.zeros((ROWS, 2), dtype=mx.int32), cache=rows.caches)
        rows.advance(2)
        rows.unpad()
        model(mx.zeros((ROWS, 1), dtype=mx.int32), cache=rows.caches)
    except Exception:  # noqa: BLE001 -- positions as one number, caches read otherwise
        return False
    return True


def _layers(row: list[Any]) -> list[Any]:
    """Return the caches that hold keys and values; what comes after them does not."""
    return [cache for cache in row if not isinstance(cache, RowPlaces)]


def _sees(row: list[Any]) -> bool:
    return isinstance(row[-1], RowPlaces)


def even_number(rows: int) -> int:
    """Return the next of few numbers: a power of two, above eight a multiple of it."""
    return -(-rows // 8) * 8 if rows > 8 else 1 << (rows - 1).bit_length()


def fit_slots(row: list[Any]) -> bool:
    """Whether a row's layers are all of those that slots hold."""
    layers = _layers(row[:-1]) + _layers(row[-1:])
    return bool(layers) and all(isinstance(layer, RowCache) for layer in layers)


def _is_run(slots: list[int], places: list[int]) -> bool:
    """Whether the rows at these places lie side by side, in this order."""
    found = [slots[place] for place in places]
    return found == list(range(found[0], found[0] + len(found)))
