"""Answers made of messages with a channel and a recipient each: gpt-oss."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from inference.dialects.dialect import Opener
from inference.dialects.source import CutOffError, NotWrittenError

if TYPE_CHECKING:
    from collections.abc import Generator

    from inference.dialects.answers import AnswerParser
    from inference.dialects.dialect import CallSink
    from inference.dialects.source import Reading, Source

MESSAGE, CHANNEL, START = "<|message|>", "<|channel|>", "<|start|>"
CALL, END, RETURN = "<|call|>", "<|end|>", "<|return|>"
_ENDS = (END, CALL, RETURN, START, CHANNEL)
_CHANNEL = re.compile(r"<\|channel\|>\s*(\w+)")
_RECIPIENT = re.compile(r"to=([^\s<]+)")
_HEAD_CHARS = 512


def read_answer(answer: AnswerParser) -> Reading:
    """Read messages: analysis is thinking, calls go by their recipient, the rest is text."""
    source = answer.source
    while not answer.is_over:
        head = yield from _head(source)
        if head is None:
            yield from _read_text(answer)
        else:
            yield from _read_message(answer, head)
        yield from source.blanks()
        yield from source.accept(END, CALL, RETURN)
        if source.has_ended and not source.rest:
            return


def _head(source: Source) -> Generator[None, None, str | None]:
    """Read a message's head up to its text; `None`: the model wrote none."""
    yield from source.blanks()
    if not (yield from source.ahead(START, CHANNEL, MESSAGE, "assistant", "to=")):
        if source.has_ended and not source.rest:
            raise CutOffError
        return None
    try:
        head, _ = yield from source.until(MESSAGE, most=_HEAD_CHARS)
    except NotWrittenError:
        return None
    return head


def _read_message(answer: AnswerParser, head: str) -> Reading:
    channel = _CHANNEL.search(head)
    recipient = _RECIPIENT.search(head)
    if recipient and recipient[1] != "assistant":
        name = recipient[1].removeprefix("functions.")
        yield from answer.read_call(Opener(MESSAGE, _Call(name), keeps=True))
    elif channel and channel[1] == "analysis":
        answer.begin_thinking()
        try:
            yield from answer.source.before(*_ENDS, pipe=answer.think)
        finally:
            answer.is_thinking = False
    else:
        yield from _read_text(answer)


def _read_text(answer: AnswerParser) -> Reading:
    source = answer.source
    try:
        yield from source.before(*_ENDS, pipe=answer.show)
    except CutOffError:
        # Half of a marker is none of the text.
        if not source.was_cut:
            answer.show(source.take(len(source.rest)))
        raise


class _Call:
    """Reads a call's arguments; its name stood in the head."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __call__(self, source: Source, sink: CallSink) -> Reading:
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
