"""Tags as tokens, and whether what was said ends with one."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

# No tag of thinking has more tokens, and no mark of calls more than are kept.
MARKER_TOKENS_MOST = 16
RECENT_TOKENS = 32


@dataclass(frozen=True, slots=True)
class Marker:
    """The tokens that a model writes for a tag, never empty.

    `text` is set where other tokens may spell the tag as well, as with tags that
    are ordinary text: what stands around it decides how it is cut.
    """

    tokens: tuple[int, ...]
    text: bytes = b""


class RecentTokens:
    """The last tokens of a stage; `spell` returns the bytes of one."""

    def __init__(
        self,
        spell: Callable[[int], bytes] | None = None,
        tokens: Iterable[int] = (),
    ) -> None:
        self._spell = spell
        self._tokens: deque[int] = deque(tokens, maxlen=RECENT_TOKENS)

    def fork(self) -> RecentTokens:
        """Return others that begin with these."""
        return RecentTokens(self._spell, self._tokens)

    def add(self, token: int) -> None:
        """Take the next token."""
        self._tokens.append(token)

    def clear(self) -> None:
        """Forget all, as at the beginning of a stage."""
        self._tokens.clear()

    def end_with(self, marker: Marker) -> bool:
        """Whether the marker ends in the newest token."""
        if tuple(self._tokens)[-len(marker.tokens) :] == marker.tokens:
            return True
        if not (marker.text and self._spell and self._tokens):
            return False
        newest = len(self._spell(self._tokens[-1]))
        return marker.text in self._text()[-(len(marker.text) + newest - 1) :]

    def after(self, marker: Marker) -> bytes:
        """Return what the newest token adds behind the marker that it ended."""
        if tuple(self._tokens)[-len(marker.tokens) :] == marker.tokens:
            return b""
        return self._text().rpartition(marker.text)[2]

    def are_inside_line(self, marker: Marker) -> bool:
        """Whether something else stands before the marker in its line."""
        before = self._text().rpartition(marker.text)[0]
        return bool(before) and not before.endswith(b"\n")

    def next_of(self, marker: Marker) -> int | None:
        """Return the token that goes on with the marker, where it was begun."""
        said = tuple(self._tokens)
        if said == marker.tokens[: len(said)] and len(said) < len(marker.tokens):
            return marker.tokens[len(said)]
        return None

    def may_become(self, marker: Marker) -> bool:
        """Whether nothing but a beginning of the marker's text was said."""
        if len(self._tokens) >= MARKER_TOKENS_MOST:
            return False
        return marker.text.startswith(self._text().lstrip())

    def _text(self) -> bytes:
        assert self._spell is not None
        return b"".join(map(self._spell, self._tokens))
