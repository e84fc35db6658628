"""Calls as a name and pairs of tags: `f <arg_key>k</arg_key><arg_value>v</arg_value>`."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from inference.dialects.dialect import CallForm
from inference.dialects.source import CutOffError, NotWrittenError
from inference.dialects.tagged_arguments import TaggedArguments, TagPair
from inference.dialects.tags import Tag
from inference.dialects.text_arguments import TextArguments

if TYPE_CHECKING:
    from inference.dialects.dialect import CallSink
    from inference.dialects.source import Reading, Source

_NAME = re.compile(r"[\w.\-/:]{1,256}")
_NAME_CHARS = 256


@dataclass(frozen=True, slots=True)
class KeyValueCalls:
    """Reads GLM's calls. `suffix` stands in all tags before their `>`.

    `separator` may follow the name. Within one block there may be several calls.
    """

    suffix: str = ""
    separator: str = ""
    closers: tuple[str, ...] = ()

    def tag(self, name: str) -> str:
        """Return a tag as this family writes it."""
        return f"<{name}{self.suffix}>"

    def form(self, start: str, *, breaks: bool = True, **said: Any) -> CallForm:
        """Return how such calls are written after `start`; see `CallForm`.

        `breaks`: each tag has a line.
        """
        line = "\n" if breaks else ""
        call = Tag("", self.separator, self.tag("/tool_call"))
        key = Tag(
            self.tag("arg_key"),
            f"{self.tag('/arg_key')}{line}{self.tag('arg_value')}",
            self.tag("/arg_value"),
        )
        last = ""
        if self.closers:
            call, last = replace(call, start=self.tag("tool_call")), line
            said |= {"lead": line, "end": self.closers[0], "wraps_all": True}
        written = TaggedArguments(TagPair(call, key), line, last)
        return CallForm(start, written, is_typed=True, **said)

    def __call__(self, source: Source, sink: CallSink) -> Reading:
        """Read a block; see `Opener`."""
        start, end = self.tag("tool_call"), self.tag("/tool_call")
        while True:
            yield from source.blanks()
            yield from source.accept(start)
            yield from self._call(source, sink, end)
            if not self.closers:
                return
            yield from source.blanks()
            if (yield from source.accept(*self.closers)):
                return
            if not (yield from source.ahead(start)):
                return

    def _call(self, source: Source, sink: CallSink, end: str) -> Reading:
        key, value = self.tag("arg_key"), self.tag("arg_value")
        key_end, value_end = self.tag("/arg_key"), self.tag("/arg_value")
        yield from source.blanks()
        separators = (self.separator,) if self.separator else ()
        name = yield from source.before(
            "\n", key, end, "{", *separators, most=_NAME_CHARS
        )
        if not _NAME.fullmatch(name.strip()):
            raise NotWrittenError("it has no name")
        arguments = TextArguments(sink, sink.begin(name.strip()))
        if separators:
            yield from source.accept(*separators)
        while True:
            yield from source.blanks()
            if (yield from source.accept(end)):
                break
            if arguments.are_some and source.was_left:
                break
            if source.has_ended and not source.rest:
                raise CutOffError
            if not arguments.are_some and (yield from source.ahead("{")):
                # All of them as JSON: what a schema asks cannot always be said else.
                yield from source.json(sink.write)
                arguments.are_written = True
                continue
            yield from source.expect(key)
            parameter, _ = yield from source.until(key_end, most=_NAME_CHARS)
            yield from source.blanks()
            yield from source.expect(value)
            arguments.begin(parameter.strip())
            yield from arguments.read_brackets(source)
            yield from source.until(value_end, pipe=arguments.add)
            arguments.close()
        arguments.end()
