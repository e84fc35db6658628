"""What followed the same words before: where each few tokens of a text stood last."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

# So many tokens in a row have to be the same before anything is proposed.
NGRAM = 3
# How far back likeness is looked at: nothing longer is ever proposed.
ALIKE_MOST = 32


class NgramIndex:
    """Owns one growing text of tokens and knows where its beginnings of copies are."""

    def __init__(self) -> None:
        self._text: list[int] = []
        # What follows an n-gram, by its place; the last n-gram is not among them.
        self._follows: dict[tuple[int, ...], int] = {}

    def __len__(self) -> int:
        return len(self._text)

    def extend(self, tokens: Iterable[int]) -> None:
        """Add to the end of the text."""
        text, follows = self._text, self._follows
        for token in tokens:
            place = len(text)
            if place >= NGRAM:
                follows[tuple(text[place - NGRAM :])] = place
            text.append(token)

    def continuation(self, most: int) -> list[int]:
        """Return at most `most` tokens that followed the end of the text before.

        Never more than are alike before them: the longer the likeness, the further
        it may be trusted.
        """
        place = self._follows.get(tuple(self._text[-NGRAM:]))
        if place is None:
            return []
        return self._text[place : place + min(most, self._alike(place))]

    def _alike(self, place: int) -> int:
        """Return how many tokens before `place` are those at the end of the text."""
        text, end = self._text, len(self._text)
        for back in range(NGRAM + 1, min(ALIKE_MOST, place) + 1):
            if text[place - back] != text[end - back]:
                return back - 1
        return min(ALIKE_MOST, place)
