"""One answer while it comes, and what it came to in figures."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from inference.dialects.answers import AnswerParser
from inference.dialects.thinking import USUAL, thinking_as

if TYPE_CHECKING:
    from collections.abc import Callable

# Servers that do not tell thinking apart send it like this.
THINKING = thinking_as(USUAL)


@dataclass(frozen=True, slots=True)
class Figures:
    """What one answer came to; times in seconds, `None` where nobody can tell.

    Without `is_counted` the tokens are pieces of text: the server did not count.
    """

    prompt_tokens: int | None
    tokens: int
    is_counted: bool
    ttft_s: float | None
    total_s: float
    tokens_per_s: float | None


@dataclass(slots=True)
class Answer:
    """Owns what has come of one answer. Whoever shows it only reads.

    `text` and `thinking` are as the model wrote them, not yet fit for a terminal.
    """

    clock: Callable[[], float] = time.monotonic
    model: str = ""
    text: str = ""
    thinking: str = ""
    finish_reason: str = ""
    error: str = ""
    is_over: bool = False
    _usage: dict[str, Any] = field(default_factory=dict)
    _pieces: int = 0
    _began_at: float = 0.0
    _first_at: float | None = None
    _last_at: float | None = None
    _ended_at: float | None = None
    _parser: AnswerParser = field(default_factory=lambda: AnswerParser((THINKING,)))

    def __post_init__(self) -> None:
        self._began_at = self.clock()

    @property
    def has_begun(self) -> bool:
        """Whether any of it is there."""
        return self._first_at is not None

    @property
    def elapsed_s(self) -> float:
        """How long ago it was asked for, or how long it took."""
        return (self._ended_at or self.clock()) - self._began_at

    def asked(self) -> None:
        """Note that the question goes out now: times count from here."""
        self._began_at = self.clock()

    def named(self, model: str | None) -> None:
        """Note which model answers."""
        self.model = model or self.model

    def add(self, *, text: str = "", thinking: str = "") -> None:
        """Take a piece that has just come."""
        if not text and not thinking:
            return
        self._last_at = self.clock()
        if self._first_at is None:
            self._first_at = self._last_at
        self._pieces += 1
        self.thinking += thinking
        if text:
            read = self._parser.feed(text)
            self.text += read.text
            self.thinking += read.reasoning

    def counted(self, usage: dict[str, Any]) -> None:
        """Note the server's own count."""
        self._usage = usage

    def ended(self, finish_reason: str = "", *, error: str = "") -> None:
        """Note the end: the server's reason, or what went wrong."""
        if self.is_over:
            return
        read = self._parser.finish()
        self.text += read.text
        self.thinking += read.reasoning
        self.finish_reason, self.error = finish_reason, error
        self._ended_at = self.clock()
        self.is_over = True

    def figures(self) -> Figures:
        """Return what it has come to so far."""
        counted = self._usage.get("completion_tokens")
        tokens = counted if isinstance(counted, int) else self._pieces
        prompt = self._usage.get("prompt_tokens")
        return Figures(
            prompt_tokens=prompt if isinstance(prompt, int) else None,
            tokens=tokens,
            is_counted=isinstance(counted, int),
            ttft_s=None if self._first_at is None else self._first_at - self._began_at,
            total_s=self.elapsed_s,
            tokens_per_s=self._speed(tokens),
        )

    def _speed(self, tokens: int) -> float | None:
        """Return tokens per second after the first; over all, where all came at once."""
        if self._first_at is None or self._last_at is None:
            return None
        if self._last_at > self._first_at and tokens > 1:
            return (tokens - 1) / (self._last_at - self._first_at)
        return tokens / self.elapsed_s if self.is_over and self.elapsed_s else None
