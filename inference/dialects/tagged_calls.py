"""Calls as tags: a function, and its parameters one by one, as text or as JSON."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from inference.dialects.dialect import CallForm
from inference.dialects.source import CutOffError
from inference.dialects.tagged_arguments import TaggedArguments
from inference.dialects.text_arguments import TextArguments

if TYPE_CHECKING:
    import re

    from inference.dialects.dialect import CallSink
    from inference.dialects.source import Reading, Source
    from inference.dialects.tags import Tag

_NAME_CHARS = 256


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

    def form(
        self, start: str, *, breaks: bool = True, heading: str = "", **said: Any
    ) -> CallForm:
        """Return how such calls are written after `start`; see `CallForm`.

        `breaks`: each tag has a line. `heading` stands before each call.
        """
        line = "\n" if breaks else ""
        end = "".join(self.ends[:1])
        said = {"lead": line, "end": end, **said}
        last = line
        if said.get("shares"):
            last, said = "", {**said, "separator": line, "end": line + end}
        written = TaggedArguments(self, line, last, heading)
        return CallForm(start, written, is_typed=True, **said)

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
                # Raises; where the answer was cut off in a tag, it says so.
                yield from source.expect(*tags, *closers)
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
        yield from arguments.read_brackets(source)
        yield from source.until(*ends, pipe=arguments.add)
        arguments.close()
