"""An answer put together again from its deltas."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from inference.core.requests import ToolCall, Usage

if TYPE_CHECKING:
    from inference.core.requests import Delta, TokenLogprob, ToolCallDelta


@dataclass(slots=True)
class _CollectedCall:
    id: str = ""
    name: str = ""
    pieces: list[str] = field(default_factory=list)


@dataclass(slots=True)
class CollectedChoice:
    """One choice: its text, thinking, calls and log-probabilities so far."""

    finish_reason: str | None = None
    logprobs: list[TokenLogprob] = field(default_factory=list)
    prompt_text: str = ""
    prompt_logprobs: tuple[TokenLogprob, ...] = ()
    stop: str = ""
    _texts: list[str] = field(default_factory=list)
    _reasoning: list[str] = field(default_factory=list)
    _calls: dict[int, _CollectedCall] = field(default_factory=dict)

    def add(self, delta: Delta) -> None:
        """Add what one delta of this choice brings."""
        self._texts.append(delta.text)
        self._reasoning.append(delta.reasoning)
        self.logprobs.extend(delta.logprobs)
        for piece in delta.tool_calls:
            self.add_call(piece)
        self.finish_reason = delta.finish_reason or self.finish_reason
        self.stop = delta.stop or self.stop
        self.prompt_text = delta.prompt_text or self.prompt_text
        self.prompt_logprobs = delta.prompt_logprobs or self.prompt_logprobs

    def add_call(self, piece: ToolCallDelta) -> None:
        """Add a piece of a call."""
        call = self._calls.setdefault(piece.index, _CollectedCall())
        call.id = call.id or piece.id
        call.name = call.name or piece.name
        call.pieces.append(piece.arguments)

    @property
    def text(self) -> str:
        """The visible text."""
        return "".join(self._texts)

    @property
    def reasoning(self) -> str:
        """The thinking."""
        return "".join(self._reasoning)

    @property
    def calls(self) -> list[ToolCall]:
        """The calls, in their order."""
        found = (self._calls[index] for index in sorted(self._calls))
        return [ToolCall(call.id, call.name, "".join(call.pieces)) for call in found]


@dataclass(slots=True)
class CollectedAnswer:
    """All choices of an answer; `usage` is what the last delta said."""

    usage: Usage = field(default_factory=Usage)
    _choices: dict[int, CollectedChoice] = field(default_factory=dict)

    def add(self, delta: Delta) -> None:
        """Add what one delta brings."""
        choice = self._choices.get(delta.index)
        if choice is None:
            choice = self._choices[delta.index] = CollectedChoice()
        choice.add(delta)
        self.usage = delta.usage or self.usage

    @property
    def choices(self) -> list[tuple[int, CollectedChoice]]:
        """The choices with their numbers, in their order."""
        return sorted(self._choices.items())
