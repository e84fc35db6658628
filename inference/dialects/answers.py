"""An answer's text as it comes: thinking, content, calls, each told apart.

Markers may be cut anywhere between two pieces of text, so what might begin one
is held back until it is known.
"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

from inference.dialects.signatures import Signatures
from inference.dialects.sinks import Calls, HeldSink, StreamedSink
from inference.dialects.source import (
    CutOffError,
    NotWrittenError,
    Source,
    length_at_risk,
)
from inference.parsing.pieces import PieceBox, Pieces
from inference.parsing.stops import StopMatcher

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence

    from inference.core.requests import ToolCallDelta
    from inference.dialects.dialect import Calling, Dialect, Opener, ThinkingTags
    from inference.dialects.source import Reading

_CUT = "the answer was cut off inside a tool call"
_LEFT = "a tool call was left as text"
_THOUGHT = "a tool call was read from thinking that was never closed"


def _new_id() -> str:
    return f"call_{uuid.uuid4().hex[:24]}"


class AnswerParser:
    """Reads one answer. `feed` takes its text, `finish` says that it has ended.

    `dialects` are the ways in which it may be written; without thinking, calls and
    stops, text passes through untouched. Stop strings count in the content only. A
    call that cannot be read, does not fit what its tool declares, or names none of
    `calling` is content, with a warning. Where calls are not parallel, the answer is
    complete with its first. `opened` is the tag of thinking that the prompt ends in;
    `continues`: in the middle of a text, so that blanks at the edge belong to it.
    """

    def __init__(
        self,
        dialects: Sequence[Dialect] = (),
        *,
        stops: tuple[str, ...] = (),
        opened: str = "",
        continues: bool = False,
        calling: Calling | None = None,
        new_id: Callable[[], str] = _new_id,
    ) -> None:
        self.source = Source()
        self.is_thinking = False
        self.in_call = False
        self._stops = StopMatcher(stops)
        self._box = PieceBox()
        self._calls = Calls(
            Signatures(calling.tools if calling else ()),
            self._put_call,
            new_id=new_id,
            parallel=calling is None or calling.parallel,
        )
        self._whole = calling.whole if calling else None
        self._only_first = calling is not None and calling.only_first
        self.opened = opened
        self.continues = continues
        self._tags = _by_start(dialects)
        self._openers = _by_text(dialects, only_first=False) if calling else {}
        self._first = _by_text(dialects, only_first=True) if calling else {}
        self._dropped = tuple(text for each in dialects for text in each.dropped)
        answers = next((each.answers for each in dialects if each.answers), None)
        if self._whole is not None:
            answers = None  # plain calls, whatever the dialect's own are
        self._is_plain = not (
            answers
            or self._tags
            or self._openers
            or self._first
            or self._dropped
            or self._whole
        )
        self._is_held = self._was_held = False
        self._skips_blanks = False
        self._has_content = False
        self._has_thought = False
        self._reader = (answers or AnswerParser._read)(self)
        self._is_read = self._is_plain
        if not self._is_plain:
            self._go_on()

    @property
    def calls_made(self) -> int:
        """How many calls were told."""
        return self._calls.made

    @property
    def warnings(self) -> list[str]:
        """What went wrong without ending the answer."""
        return self._calls.warnings

    @property
    def is_complete(self) -> bool:
        """Whether no more is wanted: the one call that was asked for is there."""
        return self._calls.is_complete and not self.in_call

    @property
    def stopped(self) -> bool:
        """Whether a stop string was met."""
        return self._stops.stopped

    @property
    def stop_met(self) -> str:
        """The stop string that was met; empty: none."""
        return self._stops.met

    def feed(self, text: str, *, is_held: bool = False) -> Pieces:
        """Take text and return what may now be shown.

        `is_held`: a grammar holds the model from the end of this text on.
        """
        if self._is_plain:
            return Pieces(self._stops.feed(text))
        self._is_held = is_held
        self._was_held |= is_held
        if text:
            self.source.feed(text)
            self._go_on()
        return self._box.taken()

    def finish(self, *, is_cut: bool = False) -> Pieces:
        """Return what was held back; the answer has ended, or was cut off."""
        self.source.has_ended, self.source.was_cut = True, is_cut
        self._go_on()
        if not self.stopped:
            self._box.put(text=self._stops.flush())
        return self._box.taken()

    @property
    def is_over(self) -> bool:
        """Whether the rest of the answer does not matter."""
        return self.stopped or self.is_complete

    def _go_on(self) -> None:
        while not self._is_read and not self.is_over:
            try:
                next(self._reader)
            except (StopIteration, CutOffError):
                self._is_read = True
            if not self.source.has_ended:
                return

    # --- what dialects that read whole answers call as well

    def show(self, text: str) -> None:
        """Tell content."""
        self._has_content |= bool(text)
        self._box.put(text=self._stops.feed(text))

    def begin_thinking(self) -> None:
        """Tell that thinking begins; what was thought before is another thought."""
        if self._has_thought:
            self._box.put(reasoning="\n\n")
        self.is_thinking, self._has_thought = True, False

    def think(self, text: str) -> None:
        """Tell thinking."""
        self._has_thought |= bool(text)
        self._box.put(reasoning=text)

    def flush(self) -> None:
        """Tell content that was held back for a stop string: something else follows."""
        if not self.stopped:
            self._box.put(text=self._stops.flush())

    def warn(self, slip: str) -> None:
        """Note what was not written as it should be."""
        self._calls.warnings.append(slip)

    def take_call(self, name: str, arguments: str) -> None:
        """Take a whole call with its arguments as JSON text.

        Raises:
            NotWrittenError: it names no function of the request, or does not fit it.
        """
        self.flush()
        sink = HeldSink(self._calls, self.source)
        sink.begin(name)
        sink.write(arguments)
        sink.end()

    def refuse_call(self, why: str, written: str) -> None:
        """Tell as content what is no call."""
        self.warn(f"{_LEFT}: {why}")
        self.show(written)

    def read_call(self, opener: Opener, *, blanks: str = "") -> Reading:
        """Read a block of calls whose opener comes next; what is none is content."""
        self.flush()
        self.in_call = True
        source = self.source
        source.mark()
        if not opener.keeps:
            source.take(len(opener.text))
        kind = StreamedSink if self._is_held else HeldSink
        sink = kind(self._calls, source)
        made = self._calls.made
        try:
            yield from opener.read(source, sink)
        except NotWrittenError as why:
            self._leave_as_text(blanks, sink, f"{_LEFT}: {why}")
        except CutOffError:
            source.take(len(source.rest))
            self._leave_as_text(blanks, sink, _CUT)
        else:
            # Blanks between two texts are part of the content, at its edge not.
            self._skips_blanks = not self._has_content
        if opener.slip and self._calls.made > made:
            self.warn(opener.slip)
        self.in_call = False

    def _leave_as_text(
        self, blanks: str, sink: HeldSink | StreamedSink, why: str
    ) -> None:
        if isinstance(sink, StreamedSink) and sink.is_open:
            if why != _CUT:
                self.warn(why)
            return
        if sink.saw_name:
            self.warn(why)
        elif self.source.was_cut and why == _CUT:
            self.warn(why)
            return
        self._skips_blanks = False
        self.show(blanks + self.source.since_mark())

    # --- the usual answer: thinking, then text with calls in it

    def _read(self) -> Reading:
        if self.opened:
            yield from self._read_thinking(self.opened)
        while not self.is_over:
            yield from self._read_edge()
            if self._whole is not None:
                yield from self._read_whole(self._whole)
                return
            marker, blanks = yield from self._read_content()
            if not marker or self.stopped:
                return
            if marker in self._dropped:
                self.source.take(len(marker))
                self._skips_blanks = True
            else:
                yield from self.read_call(self._openers[marker], blanks=blanks)

    def _read_edge(self) -> Reading:
        """Read what only an answer, or what follows a call, begins with."""
        starts = tuple(self._tags)
        if not (starts or self._first):
            return
        blanks = yield from self.source.blanks()
        start = yield from self.source.accept(*starts)
        if start:
            yield from self._read_thinking(start)
            yield from self._read_edge()
            return
        if not self._has_content and (
            first := (yield from self.source.ahead(*self._first))
        ):
            yield from self.read_call(self._first[first], blanks=blanks)
            return
        if self._was_held and self.source.was_cut:
            rest = self.source.rest
            if any(text.startswith(rest) for text in self._first):
                self.source.take(len(rest))  # half of what begins a call
        if not self._skips_blanks:
            self.source.put_back(blanks)

    def _read_whole(self, opener: Opener) -> Reading:
        yield from self.source.blanks()
        while self.source.rest and not self.is_over:
            made = self._calls.made
            yield from self.read_call(opener)
            if self._calls.made == made:
                # It was a text, and goes on as one.
                self._openers = {}
                yield from self._read_content()
                return
            yield from self.source.blanks()

    def _read_thinking(self, start: str) -> Reading:
        source, end = self.source, self._tags[start].end
        self.begin_thinking()
        if not self.continues:
            yield from source.blanks()
            # Some models write again what the prompt has opened for them.
            yield from source.accept(start)
            yield from source.blanks()
        markers = (end, *self._openers)
        while True:
            text = source.rest
            at, marker = _first_of(markers, text)
            if marker == end:
                self.think(source.take(at).rstrip())
                source.take(len(end))
                break
            if marker:
                thought = source.take(at)
                self.think(thought.rstrip())
                blanks = thought[len(thought.rstrip()) :]
                yield from self._try_call(self._openers[marker], end, blanks)
                if source.has_ended and not source.rest:
                    break
                continue
            certain = text[: len(text) - length_at_risk(text, markers)].rstrip()
            self.think(source.take(len(certain)))
            if source.has_ended:
                self.think(self._rest().rstrip())
                break
            yield
        self.is_thinking = False
        self._skips_blanks = True

    def _try_call(self, opener: Opener, end: str, blanks: str) -> Reading:
        """Read calls where thinking may have been forgotten to be closed.

        They count where nothing but further calls follows; else it was thought of.
        """
        source = self.source
        told: list[ToolCallDelta] = []
        calls = self._calls.trial(told.append)
        sink = HeldSink(calls, source, marks=False)
        source.mark()
        try:
            source.take(0 if opener.keeps else len(opener.text))
            yield from opener.read(source, sink)
            yield from source.blanks()
            while (
                source.rest
                and (found := (yield from source.ahead(end, *self._openers)))
                in self._openers
            ):
                following = self._openers[found]
                source.take(0 if following.keeps else len(found))
                yield from following.read(source, sink)
                yield from source.blanks()
        except NotWrittenError:
            self.think(blanks + source.since_mark())
            return
        except CutOffError:
            source.take(len(source.rest))
            if sink.saw_name or not self.source.was_cut:
                self.think(blanks + source.since_mark())
            return
        if source.rest:
            self.think(blanks + source.since_mark())
            return
        for piece in told:
            self._put_call(piece)
        self._calls.adopt(calls)
        self.warn(_THOUGHT)

    def _read_content(self) -> Generator[None, None, tuple[str, str]]:
        """Show text up to a marker, which stays; return it and the blanks before it."""
        source = self.source
        markers = (*self._dropped, *self._openers)
        while True:
            if self._skips_blanks:
                yield from source.blanks()
                self._skips_blanks = False
            text = source.rest
            at, marker = _first_of(markers, text)
            before = at if marker else len(text) - length_at_risk(text, markers)
            if self._only_first and (self._has_content or text[:before].strip()):
                # What looks like a call now is a text inside the answer.
                self._openers, markers = {}, self._dropped
                at, marker = _first_of(markers, text)
            if marker:
                shown = text[:at].rstrip()
                self.show(shown)
                source.take(at)
                return marker, text[len(shown) : at]
            held = length_at_risk(text, markers)
            certain = text[: len(text) - held]
            certain = certain.rstrip() if self._openers else certain
            self.show(source.take(len(certain)))
            if source.has_ended:
                self._show_rest()
                return "", ""
            yield

    def _show_rest(self) -> None:
        rest = self._rest()
        if rest.strip():
            self.show(rest)

    def _rest(self) -> str:
        """Read what was held back to the end; half of a marker is nothing to show."""
        rest = self.source.take(len(self.source.rest))
        tail = rest.lstrip()
        begins = (*self._openers, *self._first)
        if self._was_held and any(text.startswith(tail) for text in begins):
            return ""
        is_marker = not tail[:1].isalnum() and any(map(str.isalpha, tail))
        return "" if self.source.was_cut and is_marker else rest

    def _put_call(self, piece: ToolCallDelta) -> None:
        self._box.put(calls=(piece,))


def _by_start(dialects: Sequence[Dialect]) -> dict[str, ThinkingTags]:
    return {tags.start: tags for each in dialects for tags in each.thinking}


def _by_text(dialects: Sequence[Dialect], *, only_first: bool) -> dict[str, Opener]:
    found: dict[str, Opener] = {}
    for dialect in dialects:
        for opener in dialect.openers:
            if opener.only_first is only_first:
                found.setdefault(opener.text, opener)
    return found


def _first_of(markers: Sequence[str], text: str) -> tuple[int, str]:
    """Return where the first of the markers stands in a text, and which it is."""
    found = [(at, -len(each), each) for each in markers if (at := text.find(each)) >= 0]
    if not found:
        return len(text), ""
    at, _, marker = min(found)
    return at, marker
