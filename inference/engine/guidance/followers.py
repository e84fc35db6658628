"""Grammars that answers are held to, and how far an answer has followed them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

import numpy as np
from llguidance.numpy import fill_next_token_bitmask

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llguidance import LLMatcher

    from inference.engine.guidance.masks import Mask
    from inference.engine.text.markers import Marker


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
class AnswerGrammar:
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

    def fork(self) -> Follower:
        """Return another that stands where this one does."""
        return Follower(self.matcher.deep_copy(), self.is_calls)

    def takes(self, token: int) -> bool:
        """Take the next token; `False`: it does not fit."""
        return self.matcher.try_consume_tokens([token]) == 1


def fill_from(followers: Sequence[Follower], mask: Mask) -> None:
    """Write the tokens that any of them lets through."""
    mask[:] = 0
    for follower in followers:
        own = mask if len(followers) == 1 else np.zeros_like(mask)
        fill_next_token_bitmask(follower.matcher, own[None, :])
        if own is not mask:
            mask |= own


class Stage(Enum):
    """Where an answer is."""

    OPENING = "opening"  # thinking or the answer itself, as long as it may be either
    THINKING = "thinking"
    FORCED = "forced"
    BODY = "body"
    HEAD = "head"
    FREE = "free"
    CALL = "call"
    OVER = "over"
