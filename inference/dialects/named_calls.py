"""Calls as a function's name between two texts, then its arguments as JSON."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from inference.dialects.dialect import CallForm
from inference.dialects.json_arguments import WrittenJSON
from inference.dialects.source import CutOffError, NotWrittenError

if TYPE_CHECKING:
    import re

    from inference.dialects.dialect import CallSink
    from inference.dialects.source import Reading, Source

_HEAD_CHARS = 512


@dataclass(frozen=True, slots=True)
class NamedCalls:
    """Reads `START head MIDDLE {…} END`, as often as it comes.

    `head` finds the function's name in the head, as the group `name`, and where it
    has one an `id`. `starts` may be empty where the block's opener begins the first
    call, `repeats` begins the next then. `ends` close one call, `closers` all.
    `kinds` are heads that are no name: it stands on the line after the middle then.
    """

    head: re.Pattern[str]
    middles: tuple[str, ...]
    starts: tuple[str, ...] = ()
    repeats: tuple[str, ...] = ()
    ends: tuple[str, ...] = ()
    closers: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()

    def __call__(self, source: Source, sink: CallSink) -> Reading:
        """Read a block; see `Opener`."""
        yield from source.blanks()
        if self.starts:
            yield from source.expect(*self.starts)
        again = self.starts or self.repeats
        while True:
            yield from self._call(source, sink)
            yield from source.blanks()
            if self.closers and (yield from source.accept(*self.closers)):
                return
            if not (again and (yield from source.accept(*again))):
                return

    def form(
        self,
        start: str,
        *,
        head: str = "{name}",
        kind: str = "",
        terminals: tuple[tuple[str, str], ...] = (),
        fence: tuple[str, str] = ("", ""),
        tagged: str = "",
        **said: Any,
    ) -> CallForm:
        """Return how such calls are written; `head` as in `WrittenJSON`.

        `fence` stands around the arguments. With starts one block holds all calls.
        """
        begin, end = "".join(self.starts[:1]), "".join(self.ends[:1])
        middle = self.middles[-1]
        before = f"{kind}{middle}{head}" if kind else f"{head}{middle}"
        return CallForm(
            start,
            WrittenJSON(
                f"{begin}{before}{fence[0]}", f"{fence[1]}{end}", terminals, tagged
            ),
            end="".join(self.closers[:1]) if self.starts else "",
            wraps_all=bool(self.starts),
            **said,
        )

    def _call(self, source: Source, sink: CallSink) -> Reading:
        head = yield from source.before(*self.middles, most=_HEAD_CHARS)
        if head.strip() in self.kinds:
            yield from source.accept(*self.middles)
            head = yield from source.before("\n", most=_HEAD_CHARS)
        found = self.head.fullmatch(head.strip())
        if found is None:
            raise NotWrittenError("it has no name")
        groups = found.groupdict()
        sink.begin(groups["name"], groups.get("id") or "")
        middle = yield from source.accept(*self.middles)
        if middle == "[CALL_ID]":
            call_id, _ = yield from source.until("[ARGS]", most=_HEAD_CHARS)
            sink.identify(call_id.strip())
        yield from source.blanks()
        fence = yield from source.accept("```json", "```")
        yield from source.blanks()
        if not (yield from source.ahead("{")):
            if source.has_ended and not source.rest:
                raise CutOffError
            raise NotWrittenError("its arguments are no object")
        yield from source.json(sink.write)
        if fence:
            yield from source.blanks()
            yield from source.accept("```")
        sink.end()
        yield from source.blanks()
        if self.ends:
            yield from source.accept(*self.ends)
