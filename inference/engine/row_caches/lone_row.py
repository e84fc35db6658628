"""What rows that run through a model together promise, and a row that is alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import mlx.core as mx

# Makes rows that run together from the caches of each.
MakeRows: TypeAlias = "Callable[[Sequence[list[Any]]], Rows]"


class Rows(Protocol):
    """Rows that run together; what a model is given of them is in `caches`."""

    caches: list[Any]

    def __len__(self) -> int:
        """Return how many rows there are."""

    def for_step(self, tokens: mx.array) -> mx.array:
        """Return what the model is given of a token for each row: more rows, perhaps."""

    def advance(self, tokens: int) -> None:
        """Count tokens that the model was given for every row."""

    def pad(self, lengths: list[int], padding: list[int]) -> None:
        """Announce rows of so many tokens, each with so much padding behind it."""

    def unpad(self) -> None:
        """Take announced padding back, once the model was given all tokens."""

    def row(self, place: int) -> list[Any]:
        """Return one row's caches, to be read before these rows go on."""

    def order_without(self, gone: set[int]) -> list[int]:
        """Return the places of the rows that stay, in the order they had best have."""

    def taken(self, places: list[int]) -> Rows:
        """Return these rows alone, some perhaps repeated; this object is used up."""

    def joined_by(self, others: Rows, places: list[int]) -> Rows:
        """Return these rows and, behind them, the others' at `places`; both used up."""


class LoneRow:
    """One row, whose caches are the model's own."""

    def __init__(self, caches: list[Any], batch: MakeRows) -> None:
        """Take its caches, and what makes rows that run together of such."""
        self.caches = caches
        self._batch = batch
        self._padding = 0

    def __len__(self) -> int:
        return 1

    def for_step(self, tokens: mx.array) -> mx.array:
        """Return the token."""
        return tokens

    def advance(self, tokens: int) -> None:
        """Do nothing: its caches count themselves."""

    def pad(self, lengths: list[int], padding: list[int]) -> None:
        """Announce padding behind the row, whose caches can take tokens back."""
        self._padding = padding[0]

    def unpad(self) -> None:
        """Take the padding back."""
        for cache in self.caches:
            cache.trim(self._padding)

    def row(self, place: int) -> list[Any]:
        """Return the row."""
        return self.caches

    def order_without(self, gone: set[int]) -> list[int]:
        """Return the row's place, or nothing."""
        return [] if gone else [0]

    def taken(self, places: list[int]) -> Rows:
        """Return the row, so many times."""
        return self if len(places) == 1 else self._batch([self.caches] * len(places))

    def joined_by(self, others: Rows, places: list[int]) -> Rows:
        """Return the row with others behind it."""
        return self._batch([self.caches]).joined_by(others, places)
