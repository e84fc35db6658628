"""Rows merged as mlx-lm does it, which serves caches of every kind."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mlx_lm.models.cache import ArraysCache

from inference.engine.caches.probe import flat
from inference.engine.row_caches.lone_row import LoneRow

if TYPE_CHECKING:
    from collections.abc import Sequence

    import mlx.core as mx

    from inference.engine.row_caches.lone_row import Rows


class MergedRows:
    """Rows in mlx-lm's batch caches, left-padded to the longest."""

    def __init__(self, caches: list[Any], count: int) -> None:
        self.caches = caches
        self._count = count

    @classmethod
    def of(cls, rows: Sequence[list[Any]]) -> MergedRows:
        """Return rows that run together, from the caches of each."""
        alike = zip(*rows, strict=True)
        return cls([layer[0].merge(list(layer)) for layer in alike], len(rows))

    def __len__(self) -> int:
        return self._count

    def for_step(self, tokens: mx.array) -> mx.array:
        """Return the tokens."""
        return tokens

    def advance(self, tokens: int) -> None:
        """Have recurrent states that are there, and padded no longer, run unmasked.

        A merge of empty ones notes paddings of none, which go on being counted at each
        step, layer by layer, in sums that nobody computes and that pile up. Not
        before the model ran: until then the paddings may be all that tells how many
        rows there are.
        """
        for cache in flat(self.caches):
            if not isinstance(cache, ArraysCache) or cache.empty():
                continue
            if cache.lengths is None:
                cache.left_padding = None

    def pad(self, lengths: list[int], padding: list[int]) -> None:
        """Announce rows of so many tokens, each with so much padding behind it."""
        for cache in self.caches:
            cache.prepare(lengths=lengths, right_padding=padding)

    def unpad(self) -> None:
        """Turn announced padding behind the rows into padding before them."""
        for cache in self.caches:
            cache.finalize()

    def row(self, place: int) -> list[Any]:
        """Return a copy of one row's caches without its padding."""
        return [layer.extract(place) for layer in self.caches]

    def order_without(self, gone: set[int]) -> list[int]:
        """Return the places of the rows that stay."""
        return [place for place in range(self._count) if place not in gone]

    def taken(self, places: list[int]) -> Rows:
        """Return these rows alone, some perhaps repeated."""
        if len(places) == 1:
            return LoneRow(self.row(places[0]), MergedRows.of)
        if places != list(range(self._count)):
            for layer in self.caches:
                layer.filter(places)
        return MergedRows(self.caches, len(places))

    def joined_by(self, others: Rows, places: list[int]) -> Rows:
        """Return these rows with others behind them."""
        arriving = others.taken(places)
        if len(arriving) == 1:
            arriving = MergedRows.of([arriving.caches])
        for layer, addition in zip(self.caches, arriving.caches, strict=True):
            layer.extend(addition)
        return MergedRows(self.caches, self._count + len(arriving))
