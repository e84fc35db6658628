"""Grammars that answers are held to, and how far an answer has followed them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from llguidance import LLMatcher

    from inference.engines.markers import Marker


@dataclass(frozen=True, slots=True)
class CallGuide:
    """How calls look in free text: `body` holds what follows a marker.

    `begins_line`: only where the marker stands at the beginning of a line, as one
    that people write in prose.
    """

    start: Marker
    body: LLMatcher
    begins_line: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """What a whole answer has to match: `text`, or `calls`, or either of them."""

    text: LLMatcher | None = None
    calls: LLMatcher | None = None

    def open(self) -> list[Follower]:
        """Return followers at its beginning."""
        both = ((self.text, False), (self.calls, True))
        return [Follower(m.deep_copy(), is_calls=c) for m, c in both if m is not None]


@dataclass(slots=True)
class Follower:
    """One grammar's matcher at work."""

    matcher: LLMatcher
    is_calls: bool

    def takes(self, token: int) -> bool:
        """Take the next token; `False`: it does not fit."""
        return self.matcher.try_consume_tokens([token]) == 1
