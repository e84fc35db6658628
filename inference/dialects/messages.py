"""Answers made of messages, each with a head that says whom it is for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from inference.dialects.source import CutOffError, NotWrittenError

if TYPE_CHECKING:
    import re
    from collections.abc import Callable, Generator

    from inference.dialects.answers import AnswerParser
    from inference.dialects.dialect import CallSink, Opener
    from inference.dialects.source import Reading, Source

MESSAGE, START = "<|message|>", "<|start|>"
_HEAD_CHARS = 512


@dataclass(frozen=True, slots=True)
class MessageReader:
    """Reads `<|start|>assistant HEAD<|message|>text END`, as often as it comes.

    The prompt has begun the first head. `thinking` finds in a head that its message
    is thinking, `recipient` whom it calls, `call` gives the reader of that call;
    everything else is text for the user. `heads` are further texts that begin a head.
    """

    ends: tuple[str, ...]
    thinking: re.Pattern[str]
    recipient: re.Pattern[str]
    call: Callable[[str], Opener]
    heads: tuple[str, ...] = ()

    def __call__(self, answer: AnswerParser) -> Reading:
        """Read an answer; see `Dialect`."""
        source = answer.source
        if answer.opened:
            yield from self._read_thinking(answer)
            yield from source.accept(*self.ends)
        while not answer.is_over:
            head = yield from self._head(source)
            if head is None:
                if not answer.continues:
                    yield from source.blanks()
                yield from self._read_text(answer)
            else:
                yield from self._read_message(answer, head)
            yield from source.blanks()
            yield from source.accept(*self.ends)
            if source.has_ended and not source.rest:
                return

    def _head(self, source: Source) -> Generator[None, None, str | None]:
        """Read a message's head up to its text; `None`: the model wrote none."""
        blanks = yield from source.blanks()
        begins = (START, MESSAGE, "assistant", "to=", *self.heads)
        if not (yield from source.ahead(*begins)):
            if source.has_ended and not source.rest:
                raise CutOffError
            if source.was_cut and any(text.startswith(source.rest) for text in begins):
                raise CutOffError
            source.put_back(blanks)
            return None
        try:
            head, _ = yield from source.until(MESSAGE, most=_HEAD_CHARS)
        except NotWrittenError:
            return None
        return head

    def _read_message(self, answer: AnswerParser, head: str) -> Reading:
        called = self.recipient.search(head)
        if self.thinking.search(head) and not called:
            answer.begin_thinking()
            try:
                yield from answer.source.before(*self._stops, pipe=answer.think)
            finally:
                answer.is_thinking = False
        elif called:
            yield from answer.read_call(self.call(called[1]))
        else:
            yield from self._read_text(answer)

    def _read_thinking(self, answer: AnswerParser) -> Reading:
        answer.begin_thinking()
        try:
            yield from answer.source.before(*self._stops, pipe=answer.think)
        finally:
            answer.is_thinking = False

    def _read_text(self, answer: AnswerParser) -> Reading:
        source = answer.source
        try:
            yield from source.before(*self._stops, pipe=answer.show)
        except CutOffError:
            # Half of a marker is none of the text.
            if not source.was_cut:
                answer.show(source.take(len(source.rest)))
            raise

    @property
    def _stops(self) -> tuple[str, ...]:
        return (*self.ends, START, *self.heads)


class JSONArguments:
    """Reads a call's arguments as JSON; its name stood in the head."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __call__(self, source: Source, sink: CallSink) -> Reading:
        """Read a block; see `Opener`."""
        sink.begin(self._name)
        yield from source.blanks()
        if not (yield from source.ahead("{", "```")):
            if source.has_ended and not source.rest:
                raise CutOffError
            raise NotWrittenError("its arguments are no object")
        yield from source.accept("```json", "```")
        yield from source.json(sink.write)
        sink.end()
        yield from source.blanks()
        yield from source.accept("```")
