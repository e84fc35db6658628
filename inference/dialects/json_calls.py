"""Calls as JSON objects, or lists of them, between two texts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from inference.dialects.dialect import CallForm
from inference.dialects.json_arguments import WrittenJSON
from inference.dialects.signatures import dumped, loosely_parsed, strict
from inference.dialects.source import CutOffError, NotWrittenError

if TYPE_CHECKING:
    from collections.abc import Generator

    from inference.dialects.dialect import CallSink
    from inference.dialects.source import Reading, Source

_NAMES = ("name", "tool_name", "function_name", "function")
_ARGUMENTS = ("arguments", "parameters", "args")
_IDS = ("id", "tool_call_id")
# What ids are written as.
_MARKS = (("index", "/[0-9]{1,2}/"), ("id", "/[a-zA-Z0-9]{9}/"))
# A key or a name longer than this is none.
_KEY_CHARS = 1024


class _NoJSONError(NotWrittenError):
    """An object's key is quoted as Python does."""


@dataclass(frozen=True, slots=True)
class JSONCalls:
    """Reads `{"name": …, "arguments": {…}}`, one, several, or a list of them.

    `ends` are the texts after them, all optional: models forget them. `separators`
    may stand between two calls. `named_by_key`: a call is `{"NAME": {…}}`. `bare`:
    nothing marks calls, so that an object with any other key before the name is none.
    """

    ends: tuple[str, ...] = ()
    separators: tuple[str, ...] = ()
    named_by_key: bool = False
    bare: bool = False

    def __call__(self, source: Source, sink: CallSink) -> Reading:
        """Read a block; see `Opener`."""
        yield from source.blanks()
        fence = yield from source.accept("```json", "```")
        yield from source.blanks()
        begun = len(source.since_mark())
        opening = yield from source.ahead("{", "[")
        if not opening:
            is_half = bool(fence) and "json".startswith(source.rest)
            if source.has_ended and (not source.rest or is_half):
                raise CutOffError
            raise NotWrittenError("no JSON object was written")
        try:
            yield from self._calls(source, sink)
        except _NoJSONError:
            if not sink.holds_back or len(source.since_mark()) < begun:
                raise
            yield from self._read_loosely(source, sink, begun)
        if fence and sink.holds_back:
            sink.warn("a code fence was taken off")
        yield from self._close(source)

    def form(
        self,
        start: str,
        *,
        keys: tuple[str, str] = ("name", "arguments"),
        edges: tuple[str, str] = ("[", "]"),
        separator: str = ", ",
        identified: str = "",
        tagged: str = "",
        **said: Any,
    ) -> CallForm:
        """Return how such calls are written after `start`.

        `edges` stand around the calls of a block, in a list or none; `identified` is
        a member before the others, with `{index}`, `tagged` one that may come last.
        """
        head = f'{{{identified}"{keys[0]}": "{{name}}", "{keys[1]}": '
        if self.named_by_key:
            head = '{"{name}": '
        in_list = "[" in edges[0]
        return CallForm(
            start,
            WrittenJSON(head, "{tagged}}" if tagged else "}", _MARKS, tagged),
            lead=edges[0],
            end=edges[1] + "".join(self.ends[:1]),
            separator=separator,
            wraps_all=in_list or bool(self.separators),
            **said,
        )

    def _calls(self, source: Source, sink: CallSink) -> Reading:
        while True:
            if (yield from source.accept("[")):
                yield from self._list(source, sink)
            else:
                yield from self._call(source, sink)
            if not self.separators:
                return
            yield from source.blanks()
            yield from source.accept(*self.separators)
            yield from source.blanks()
            if not (yield from source.ahead("{", "[")):
                return

    def _list(self, source: Source, sink: CallSink) -> Reading:
        while True:
            yield from source.blanks()
            if (yield from source.accept("]")):
                return
            if source.has_ended and not source.rest:
                return  # its last bracket is missing
            if not (yield from source.ahead("{")):
                if (yield from source.ahead(*self.ends)) if self.ends else "":
                    return
                raise NotWrittenError("a call is an object")
            yield from self._call(source, sink)
            yield from source.blanks()
            yield from source.accept(",")

    def _call(self, source: Source, sink: CallSink) -> Reading:
        yield from source.expect("{")
        call = _Call(sink)
        yield from self._members(source, call)
        if call.name is None and call.held is None and not self.named_by_key:
            raise NotWrittenError("it has no name")
        call.end()

    def _members(self, source: Source, call: _Call) -> Reading:
        while True:
            yield from source.blanks()
            yield from source.accept(",")
            yield from source.blanks()
            if (yield from source.accept("}")):
                return
            # Models forget the last brace; arguments that are whole are enough.
            if call.is_whole and not (yield from source.ahead('"')):
                return
            if (yield from source.ahead("'")):
                raise _NoJSONError("a string was expected")
            key = yield from _json_string(source)
            yield from source.blanks()
            yield from source.expect(":")
            yield from source.blanks()
            yield from self._member(source, call, key)

    def _member(self, source: Source, call: _Call, key: str) -> Reading:
        if self.named_by_key:
            call.take_name(key)
            yield from call.read_arguments(source)
        elif key in _ARGUMENTS:
            yield from call.read_arguments(source)
        elif key == "function" and (yield from source.accept("{")):
            yield from self._members(source, call)
        elif key in _NAMES:
            call.take_name((yield from _json_string(source)))
        elif self.bare and call.name is None and key not in (*_IDS, "type"):
            raise NotWrittenError("it has no name")
        else:
            value = yield from _collected(source)
            if key in _IDS:
                call.take_id(value)

    def _close(self, source: Source) -> Reading:
        yield from source.blanks()
        yield from source.accept("```")
        yield from source.blanks()
        if self.ends:
            yield from source.accept(*self.ends)

    def _read_loosely(self, source: Source, sink: CallSink, begun: int) -> Reading:
        """Read a block that is no strict JSON as what it was meant to be."""
        try:
            yield from source.before(*(self.ends or ("\0",)))
        except CutOffError:
            source.take(len(source.rest))
        found, slips = loosely_parsed(source.since_mark()[begun:])
        calls = found if isinstance(found, list) else [found]
        if not calls:
            raise NotWrittenError("it is empty")
        for call in calls:
            name, arguments = _parts_of(call, named_by_key=self.named_by_key)
            sink.begin(name)
            sink.write(arguments if isinstance(arguments, str) else dumped(arguments))
            for slip in slips:
                sink.warn(slip)
            sink.end()


class _Call:
    """One call as its members come, in whatever order."""

    def __init__(self, sink: CallSink) -> None:
        self._sink = sink
        self.name: str | None = None
        self.held: str | None = None
        self.is_whole = False
        self._call_id = ""
        self._arguments_read = False

    def take_name(self, name: str) -> None:
        if self.name is not None:
            return
        self.name = name
        self._sink.begin(name, self._call_id)
        if self.held is not None:
            self._sink.write(self.held)
            self.is_whole = True

    def take_id(self, written: str) -> None:
        try:
            value = strict(written)
        except ValueError:
            return
        if isinstance(value, str):
            self._call_id = value
            if self.name is not None:
                self._sink.identify(value)

    def read_arguments(self, source: Source) -> Reading:
        self._arguments_read = True
        begins = yield from source.peek()
        if self.name is not None and begins == "{":
            yield from source.json(self._sink.write)
            self.is_whole = True
            return
        written = yield from _collected(source)
        if self.name is None:
            self.held = written
            return
        self._sink.write(written)
        self.is_whole = True

    def end(self) -> None:
        if self.name is None:
            raise NotWrittenError("it has no name")
        if not self._arguments_read:
            self._sink.write("{}")
        self._sink.end()


def _json_string(source: Source) -> Generator[None, None, str]:
    if not (yield from source.ahead('"')):
        if source.has_ended and not source.rest:
            raise CutOffError
        raise NotWrittenError("a string was expected")
    written = yield from _collected(source, most=_KEY_CHARS)
    try:
        text = strict(written)
    except ValueError as error:
        raise NotWrittenError("a string could not be read") from error
    assert isinstance(text, str)
    return text


def _collected(source: Source, most: int | None = None) -> Generator[None, None, str]:
    pieces: list[str] = []
    length = 0

    def take(piece: str) -> None:
        nonlocal length
        pieces.append(piece)
        length += len(piece)
        if most is not None and length > most:
            raise NotWrittenError("a name is too long")

    yield from source.json(take)
    return "".join(pieces)


def _parts_of(call: Any, *, named_by_key: bool) -> tuple[str, Any]:
    if not isinstance(call, dict):
        raise NotWrittenError("a call is an object")
    if named_by_key:
        for name, arguments in call.items():
            return str(name), arguments
    inner = call.get("function")
    if isinstance(inner, dict):
        call = inner
    name = next((call[key] for key in _NAMES if isinstance(call.get(key), str)), "")
    if not name:
        raise NotWrittenError("it has no name")
    arguments = next((call[key] for key in _ARGUMENTS if key in call), {})
    return name, arguments
