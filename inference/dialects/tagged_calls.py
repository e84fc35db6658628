"""Calls as tags: a function, and its parameters one by one, as text or as JSON."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from inference.dialects.signatures import dumped
from inference.dialects.source import CutOffError, NotWrittenError

if TYPE_CHECKING:
    import re

    from inference.dialects.dialect import CallSink
    from inference.dialects.signatures import Signature
    from inference.dialects.source import Reading, Source

_NAME_CHARS = 256


@dataclass(frozen=True, slots=True)
class Tag:
    """An opening tag: `start`, a name, `head_end`. Attributes may surround the name.

    `name` finds the name in what stands between the two; without it all of it is.
    """

    start: str
    head_end: str
    close: str
    name: re.Pattern[str] | None = None

    def name_in(self, head: str) -> str:
        """Return the name in a tag's head.

        Raises:
            NotWrittenError: there is none.
        """
        found = self.name.search(head) if self.name else None
        name = (found[1] if found else "") if self.name else head
        name = name.strip().strip("\"'")
        if not name:
            raise NotWrittenError("a tag has no name")
        return name


@dataclass(frozen=True, slots=True)
class TaggedCalls:
    """Reads calls that are tags with a tag for each parameter.

    `ends` are the texts after all calls of a block, `starts` those that may stand
    before one: both are forgotten by models. `trims`: line ends at a value's edges
    belong to the tags. `typed` finds in a parameter's head whether its value is a
    string. `whole`: a tag whose content is all arguments, as JSON.
    """

    call: Tag
    parameter: Tag
    starts: tuple[str, ...] = ()
    ends: tuple[str, ...] = ()
    trims: bool = False
    typed: re.Pattern[str] | None = None
    whole: Tag | None = None

    def __call__(self, source: Source, sink: CallSink) -> Reading:
        """Read a block; see `Opener`."""
        has_call = False
        while True:
            yield from source.blanks()
            if has_call and (yield from source.accept(*self.ends)):
                return
            if self.starts:
                yield from source.accept(*self.starts)
                yield from source.blanks()
            if has_call and not (yield from source.ahead(self.call.start)):
                return
            yield from source.expect(self.call.start)
            yield from self._call(source, sink)
            has_call = True

    def _call(self, source: Source, sink: CallSink) -> Reading:
        head, _ = yield from source.until(self.call.head_end, most=_NAME_CHARS)
        signature = sink.begin(self.call.name_in(head))
        arguments = TextArguments(sink, signature)
        tags = [self.parameter.start]
        if self.whole:
            tags.append(self.whole.start)
        closers = (self.call.close, *self.ends)
        while True:
            yield from source.blanks()
            if (yield from source.ahead(*closers)):
                yield from source.accept(self.call.close)
                break
            if arguments.are_some and source.was_left:
                break
            if source.has_ended and not source.rest:
                raise CutOffError
            found = yield from source.accept(*tags)
            if found == self.parameter.start:
                yield from self._parameter(source, arguments)
            elif found and self.whole:
                yield from source.until(self.whole.head_end, most=_NAME_CHARS)
                yield from source.blanks()
                yield from source.json(sink.write)
                arguments.are_written = True
                yield from source.blanks()
                yield from source.accept(self.whole.close)
            elif (yield from source.ahead("{")) and not arguments.are_some:
                # `<function=f>{"a": 1}</function>`: all of it as JSON.
                yield from source.json(sink.write)
                arguments.are_written = True
            else:
                raise NotWrittenError(f"{self.parameter.start!r} was expected")
        arguments.end()

    def _parameter(self, source: Source, arguments: TextArguments) -> Reading:
        head, _ = yield from source.until(self.parameter.head_end, most=_NAME_CHARS)
        name = self.parameter.name_in(head)
        is_text = None
        if self.typed and (found := self.typed.search(head)):
            is_text = found[1] in ("true", "string")
        close = self.parameter.close
        if self.trims:
            yield from source.accept("\n")
        arguments.begin(name, is_text=is_text)
        ends = (
            tuple(f"{blank}{close}" for blank in ("\n", "")) if self.trims else (close,)
        )
        yield from source.until(*ends, pipe=arguments.add)
        arguments.close()


class TextArguments:
    """Turns parameters that are written as text into JSON, as they come.

    `begin`, `add` and `close` take one after the other, `end` ends the call.
    """

    def __init__(self, sink: CallSink, signature: Signature) -> None:
        self._sink = sink
        self._signature = signature
        self._names: set[str] = set()
        self._name = ""
        self._is_text: bool | None = None
        self._pieces: list[str] = []
        self.are_written = False

    @property
    def are_some(self) -> bool:
        """Whether a parameter was written."""
        return bool(self._names) or self.are_written

    def begin(self, name: str, *, is_text: bool | None = None) -> None:
        """Begin a parameter; `is_text`: the model calls its value a string."""
        if name in self._names:
            raise NotWrittenError(f"'{name}' was written twice")
        self._sink.write(", " if self._names else "{")
        self._sink.write(f"{json.dumps(name, ensure_ascii=False)}: ")
        self._names.add(name)
        self._name, self._pieces = name, []
        # What is declared decides; only where nothing is, what the model said.
        declared = self._signature.declared(name)
        self._is_text = self._signature.is_text(name)
        if not declared and is_text:
            self._is_text = True
        if self._is_text:
            self._sink.write('"')

    def add(self, piece: str) -> None:
        """Take more of its value."""
        if self._is_text:
            self._sink.write(escaped(piece))
        else:
            self._pieces.append(piece)

    def close(self) -> None:
        """End it; what does not fit raises `NotWrittenError`."""
        if self._is_text:
            self._sink.write('"')
        else:
            value = self._signature.value(self._name, "".join(self._pieces))
            self._sink.write(dumped(value))

    def end(self) -> None:
        """End the call."""
        if not self.are_some:
            self._sink.write("{")
        if not self.are_written:
            self._sink.write("}")
        self._sink.end()


def escaped(text: str) -> str:
    """Return text as it stands between the quotes of a JSON string."""
    return json.dumps(text, ensure_ascii=False)[1:-1]
