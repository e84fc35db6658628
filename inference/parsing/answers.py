"""An answer's text as it comes: thinking, content, calls, each told apart.

Markers may be cut anywhere between two pieces of text, so what might begin one
is held back until it is known.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from inference.core.requests import ToolCallDelta
from inference.parsing.calls import (
    CallFormat,
    NotACallError,
    StreamedCall,
    parse_calls,
    pieces_of,
)
from inference.parsing.pieces import PieceBox, Pieces, certain
from inference.parsing.stops import StopMatcher

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["AnswerParser", "CallFormat", "Pieces", "ThinkingTags"]


@dataclass(frozen=True, slots=True)
class ThinkingTags:
    """The texts that a model writes around its thinking."""

    start: str
    end: str


class _Stage(Enum):
    OPENING = "opening"  # nothing but blanks so far: thinking may come
    THINKING = "thinking"
    CONTENT = "content"
    CALL = "call"


def _new_id() -> str:
    return f"call_{uuid.uuid4().hex[:24]}"


class AnswerParser:
    """Reads one answer. `feed` takes its text, `finish` says that it has ended.

    Without thinking, calls and stops, text passes through untouched. Stop strings
    count in the content only. A call that cannot be read, or names a function
    that is not allowed, is content, with a warning. Where calls are not parallel,
    the answer is complete with its first.
    """

    def __init__(
        self,
        *,
        stops: tuple[str, ...] = (),
        thinking: ThinkingTags | None = None,
        opens_thinking: bool = False,
        calls: CallFormat | None = None,
        new_id: Callable[[], str] = _new_id,
    ) -> None:
        self._stops = StopMatcher(stops)
        self._thinking = thinking
        self._calls = calls
        self._parallel = calls is None or calls.parallel
        self._allowed = None if calls is None else calls.allowed
        self._new_id = new_id
        self._is_plain = thinking is None and calls is None
        self._pending = ""
        self._skips_blanks = False
        self._awaits_end = False
        self._has_content = False
        self._blanks = ""
        self._streamed: StreamedCall | None = None
        self._box = PieceBox()
        self._stage = _Stage.CONTENT
        if thinking is not None:
            self._stage = _Stage.THINKING if opens_thinking else _Stage.OPENING
            self._skips_blanks = opens_thinking
        elif calls is not None and not calls.start:
            self._enter_call()
        self.calls_made = 0
        self.is_complete = False
        self.warnings: list[str] = []

    @property
    def is_thinking(self) -> bool:
        """Whether what comes next belongs to the thinking."""
        return self._stage is _Stage.THINKING

    @property
    def in_call(self) -> bool:
        """Whether what comes next belongs to a call."""
        return self._stage is _Stage.CALL

    @property
    def stopped(self) -> bool:
        """Whether a stop string was met."""
        return self._stops.stopped

    def feed(self, text: str) -> Pieces:
        """Take text and return what may now be shown."""
        if self._is_plain:
            return Pieces(self._stops.feed(text))
        self._pending += text
        while self._pending and not self._is_over and self._advance():
            pass
        return self._box.taken()

    def finish(self) -> Pieces:
        """Return what was held back; the answer has ended."""
        if not self._is_plain and not self._is_over:
            if self._stage is _Stage.CALL:
                self._end_inside_call()
            elif self._stage is _Stage.THINKING:
                self._box.put(reasoning=self._pending.rstrip())
            elif self._pending.strip():
                self._show(self._pending)
            self._pending = ""
        if not self.stopped:
            self._box.put(text=self._stops.flush())
        return self._box.taken()

    @property
    def _is_over(self) -> bool:
        return self.stopped or self.is_complete

    def _advance(self) -> bool:
        """Read on in the pending text; false when more of it is needed."""
        match self._stage:
            case _Stage.OPENING:
                return self._read_opening()
            case _Stage.THINKING:
                return self._read_thinking()
            case _Stage.CONTENT:
                return self._read_content()
            case _Stage.CALL:
                return self._read_call()

    # --- thinking

    def _read_opening(self) -> bool:
        assert self._thinking is not None
        start, begun = self._thinking.start, self._pending.lstrip()
        if begun.startswith(start):
            self._pending = begun[len(start) :]
            self._stage, self._skips_blanks = _Stage.THINKING, True
            return True
        if start.startswith(begun):
            return False
        self._enter_content()
        return True

    def _read_thinking(self) -> bool:
        assert self._thinking is not None
        if not self._blanks_skipped():
            return False
        end = self._thinking.end
        before, found, after = self._pending.partition(end)
        if found:
            self._box.put(reasoning=before.rstrip())
            self._pending, self._skips_blanks = after, True
            self._enter_content()
            return True
        shown = certain(self._pending, end).rstrip()
        self._box.put(reasoning=shown)
        self._pending = self._pending[len(shown) :]
        return False

    # --- content

    def _enter_content(self) -> None:
        self._stage = _Stage.CONTENT
        if self._calls is not None and not self._calls.start:
            self._enter_call()

    def _read_content(self) -> bool:
        if not self._blanks_skipped():
            return False
        calls = self._calls
        if calls is None:
            shown, self._pending = self._pending, ""
            self._show(shown)
            return False
        before, found, after = self._pending.partition(calls.start)
        if found:
            shown = before.rstrip()
            self._blanks = before[len(shown) :]
            self._show(shown)
            if self.stopped:
                return False
            self._box.put(text=self._stops.flush())
            self._pending = after
            self._enter_call()
            return True
        shown = certain(self._pending, calls.start).rstrip()
        self._show(shown)
        self._pending = self._pending[len(shown) :]
        return False

    # --- calls

    def _enter_call(self) -> None:
        self._stage = _Stage.CALL
        assert self._calls is not None
        self._streamed = StreamedCall() if self._calls.streams else None

    def _read_call(self) -> bool:
        assert self._calls is not None
        if self._awaits_end:
            return self._skip_to_end()
        if self._streamed is not None:
            return self._read_streamed(self._streamed)
        if not self._calls.end:
            return False
        body, found, after = self._pending.partition(self._calls.end)
        if not found:
            return False
        self._pending = after
        self._end_call(body, f"{self._calls.start}{body}{found}")
        return True

    def _read_streamed(self, call: StreamedCall) -> bool:
        assert self._calls is not None
        was_known = bool(call.name)
        piece = call.feed(self._pending)
        self._pending = ""
        if not was_known and not self._may_stream(call):
            return self._pending != ""
        if not was_known and call.name:
            first = ToolCallDelta(self.calls_made, self._new_id(), call.name, "")
            self._box.put(calls=(first,))
            self.calls_made += 1
        if piece:
            self._box.put(calls=(ToolCallDelta(self.calls_made - 1, arguments=piece),))
        if not call.is_whole:
            return False
        self._streamed = None
        self._pending = call.rest
        if call.is_broken:
            self.warnings.append("a tool call did not end with its arguments")
        return self._after_streamed()

    def _may_stream(self, call: StreamedCall) -> bool:
        """Whether a call is, or may yet be, what was promised; else read it whole."""
        assert self._calls is not None
        is_foreign = bool(
            call.name and self._allowed is not None and call.name not in self._allowed
        )
        ended_early = bool(
            not call.name and self._calls.end and self._calls.end in call.head
        )
        if not (is_foreign or ended_early or call.is_hopeless):
            return True
        self._pending = call.head
        self._streamed = None
        return False

    def _after_streamed(self) -> bool:
        """Drop what stands between the last brace and the end marker."""
        assert self._calls is not None
        if not self._calls.start:
            self._call_ended()
            if not self.is_complete:
                self._enter_call()
            return bool(self._pending.strip())
        # The rest of the body is read like any other, and is empty.
        self._awaits_end = True
        return self._skip_to_end()

    def _skip_to_end(self) -> bool:
        assert self._calls is not None
        _, found, after = self._pending.partition(self._calls.end)
        if self._calls.end and not found:
            return False
        self._awaits_end = False
        self._pending = after if self._calls.end else self._pending
        self._call_ended()
        return True

    def _end_call(self, body: str, written: str) -> None:
        assert self._calls is not None
        try:
            calls = parse_calls(body, self._calls.parse, self._allowed)
        except NotACallError as why:
            self.warnings.append(f"a tool call was left as text: {why}")
            self._stage, self._skips_blanks = _Stage.CONTENT, False
            self._show(self._blanks + written)
            return
        for call in calls if self._parallel else calls[:1]:
            self._box.put(calls=pieces_of(call, self.calls_made, self._new_id()))
            self.calls_made += 1
        self._call_ended()

    def _call_ended(self) -> None:
        # Blanks between two texts are part of the content, at its edge they are not.
        self._stage, self._skips_blanks = _Stage.CONTENT, not self._has_content
        self.is_complete = not self._parallel

    def _end_inside_call(self) -> None:
        assert self._calls is not None
        if self._awaits_end or (self._streamed is not None and self._streamed.name):
            return
        body = self._pending
        if self._streamed is not None:
            body = self._streamed.head + body
        if self._calls.start or body.strip():
            self._end_call(body, f"{self._calls.start}{body}")

    # --- output

    def _blanks_skipped(self) -> bool:
        """Drop blanks at an edge; false while there is nothing else."""
        if self._skips_blanks:
            self._pending = self._pending.lstrip()
            self._skips_blanks = not self._pending
        return bool(self._pending)

    def _show(self, text: str) -> None:
        self._has_content |= bool(text)
        self._box.put(text=self._stops.feed(text))
