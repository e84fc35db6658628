"""Calls of Gemma's: `call:f{key:<|"|>text<|"|>,other:3}`."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from inference.dialects.dialect import CallForm
from inference.dialects.quoted_arguments import QuotedArguments
from inference.dialects.source import CutOffError, NotWrittenError
from inference.dialects.text_arguments import escaped

if TYPE_CHECKING:
    from inference.dialects.dialect import CallSink
    from inference.dialects.source import Asked, Reading, Source

_NAME = re.compile(r"[\w.\-]{1,256}")
_NAME_CHARS = 256
_DEPTH_MOST = 32
_SCALAR = re.compile(r"-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null")


@dataclass(frozen=True, slots=True)
class GemmaCalls:
    """Reads them; `quote` stands around texts, `starts` and `ends` around a call."""

    quote: str
    starts: tuple[str, ...]
    ends: tuple[str, ...]

    def form(self, **said: Any) -> CallForm:
        """Return how such calls are written; see `CallForm`."""
        written = QuotedArguments(self.quote)
        return CallForm(self.starts[0], written, end=self.ends[0], between="", **said)

    def __call__(self, source: Source, sink: CallSink) -> Reading:
        """Read a block; see `Opener`."""
        while True:
            yield from source.blanks()
            yield from source.expect("call:")
            name = yield from source.before("{", most=_NAME_CHARS)
            if not _NAME.fullmatch(name.strip()):
                raise NotWrittenError("it has no name")
            sink.begin(name.strip())
            yield from self._object(source, sink, 0)
            sink.end()
            yield from source.blanks()
            yield from source.accept(*self.ends)
            yield from source.blanks()
            if not (yield from source.accept(*self.starts)):
                return

    def _object(self, source: Source, sink: CallSink, depth: int) -> Reading:
        yield from source.expect("{")
        sink.write("{")
        is_first = True
        while True:
            yield from source.blanks()
            if (yield from source.accept("}")):
                sink.write("}")
                return
            if not is_first:
                yield from source.expect(",")
                yield from source.blanks()
            key = yield from self._key(source)
            sink.write(
                f"{'' if is_first else ', '}{json.dumps(key, ensure_ascii=False)}: "
            )
            yield from self._value(source, sink, depth + 1)
            is_first = False

    def _key(self, source: Source) -> Asked:
        if (yield from source.ahead('"')):
            written: list[str] = []
            yield from source.json(written.append)
            yield from source.blanks()
            yield from source.expect(":")
            return _unquoted("".join(written))
        if (yield from source.accept(self.quote)):
            key, _ = yield from source.until(self.quote, most=_NAME_CHARS)
            yield from source.blanks()
            yield from source.expect(":")
        else:
            key, _ = yield from source.until(":", most=_NAME_CHARS)
        if not key.strip():
            raise NotWrittenError("an argument has no name")
        return key.strip().strip('"')

    def _value(self, source: Source, sink: CallSink, depth: int) -> Reading:
        if depth > _DEPTH_MOST:
            raise NotWrittenError("its arguments are nested too deeply")
        yield from source.blanks()
        opening = yield from source.ahead(self.quote, "{", "[", '"')
        if opening == self.quote:
            source.take(len(opening))
            sink.write('"')
            yield from source.until(self.quote, pipe=lambda t: sink.write(escaped(t)))
            sink.write('"')
        elif opening == "{":
            yield from self._object(source, sink, depth)
        elif opening == "[":
            yield from self._list(source, sink, depth)
        elif opening == '"':
            yield from source.json(sink.write)
        else:
            yield from self._scalar(source, sink)

    def _list(self, source: Source, sink: CallSink, depth: int) -> Reading:
        yield from source.expect("[")
        sink.write("[")
        is_first = True
        while True:
            yield from source.blanks()
            if (yield from source.accept("]")):
                sink.write("]")
                return
            if not is_first:
                yield from source.expect(",")
                sink.write(", ")
            yield from self._value(source, sink, depth + 1)
            is_first = False

    def _scalar(self, source: Source, sink: CallSink) -> Reading:
        text = (yield from source.before(",", "}", "]")).strip()
        if not text:
            raise CutOffError if source.has_ended else NotWrittenError("a value lacks")
        # Texts that were not quoted are texts all the same.
        is_json = _SCALAR.fullmatch(text) is not None
        sink.write(text if is_json else json.dumps(text, ensure_ascii=False))


def _unquoted(written: str) -> str:
    try:
        key: str = json.loads(written)
    except ValueError as error:
        raise NotWrittenError("a name could not be read") from error
    return key
