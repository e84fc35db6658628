"""What a generated answer adds up to while it arrives in pieces."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from inference.core.outcomes import FinishReason

if TYPE_CHECKING:
    from inference.core.requests import Delta, Usage


@dataclass(slots=True)
class _TextCount:
    """Words and characters of a text that arrives in pieces."""

    words: int = 0
    characters: int = 0
    _open_word: bool = False

    def add(self, text: str) -> None:
        if not text:
            return
        self.characters += len(text)
        self.words += len(text.split())
        if self._open_word and not text[0].isspace():
            self.words -= 1
        self._open_word = not text[-1].isspace()


@dataclass(slots=True)
class AnswerCount:
    """What an answer of one or more choices adds up to; its pieces interleave.

    `tokens` are those of all choices: the latest usage's, and what came after it.
    """

    tokens: int | None = None
    reasoning_tokens: int | None = None
    cached_tokens: int = 0
    tool_calls: int = 0
    finish_reason: str = ""
    _texts: defaultdict[int, _TextCount] = field(
        default_factory=lambda: defaultdict(_TextCount)
    )

    @property
    def words(self) -> int:
        """Words of the visible text."""
        return sum(text.words for text in self._texts.values())

    @property
    def characters(self) -> int:
        """Characters of the visible text."""
        return sum(text.characters for text in self._texts.values())

    def add(self, delta: Delta, tokens: int) -> None:
        """Count a delta that carries `tokens` tokens."""
        self.tokens = (self.tokens or 0) + tokens
        self._texts[delta.index].add(delta.text)
        self.tool_calls += sum(1 for call in delta.tool_calls if call.id)
        if delta.usage is not None:
            self._correct(delta.usage)
        if delta.finish_reason is not None:
            self._end_choice(delta.finish_reason)

    def _correct(self, usage: Usage) -> None:
        self.tokens = usage.completion_tokens
        self.reasoning_tokens = usage.reasoning_tokens
        self.cached_tokens = usage.cached_tokens

    def _end_choice(self, reason: str) -> None:
        # One word for all choices: the latest that is not the plain ending.
        if reason != FinishReason.STOP or not self.finish_reason:
            self.finish_reason = reason
