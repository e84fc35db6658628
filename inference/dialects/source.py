"""An answer's text as it comes, for readers that are written as generators.

A reader asks with `yield from`; where more text is needed it stops there, and goes
on when more was fed. So every reader reads token by token without a word about it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    Reading = Generator[None, None, None]
    Asked = Generator[None, None, str]

_SCALAR_ENDS = re.compile(r"[\s,\]}<>\[{|`]")


class CutOffError(Exception):
    """The answer has ended in the middle of what was read."""


class NotWrittenError(ValueError):
    """The text is not what it began as; the message says what was missing."""


class Source:
    """Text that was fed and not read yet; `consumed` is what was read of it.

    `has_ended`: nothing more will be fed; `was_cut`: because no more was allowed.
    """

    def __init__(self) -> None:
        self._text = ""
        self._consumed: list[str] = []
        self.has_ended = False
        self.was_cut = False

    @property
    def was_left(self) -> bool:
        """Whether the model itself has ended here: closers that lack may be supplied."""
        return self.has_ended and not self.was_cut and not self._text

    @property
    def rest(self) -> str:
        """What has not been read yet."""
        return self._text

    def feed(self, text: str) -> None:
        """Add text at the end."""
        self._text += text

    def put_back(self, text: str) -> None:
        """Put text before what has not been read."""
        self._text = text + self._text

    def mark(self) -> None:
        """Begin to remember what is read from here on."""
        self._consumed.clear()

    def since_mark(self) -> str:
        """Return what was read since `mark`."""
        return "".join(self._consumed)

    def take(self, length: int) -> str:
        """Read `length` characters that are there."""
        taken, self._text = self._text[:length], self._text[length:]
        self._consumed.append(taken)
        return taken

    # --- what readers ask for

    def more(self) -> Reading:
        """Wait for more text.

        Raises:
            CutOffError: there will be none.
        """
        if self.has_ended:
            raise CutOffError
        yield

    def blanks(self) -> Asked:
        """Read blanks, and wait for what follows them; at the end nothing does."""
        taken = ""
        while True:
            kept = self._text.lstrip()
            taken += self.take(len(self._text) - len(kept))
            if kept or self.has_ended:
                return taken
            yield

    def ahead(self, *texts: str) -> Asked:
        """Return which of these texts comes next, the longest; empty: none does."""
        while True:
            found = [text for text in texts if self._text.startswith(text)]
            longest = max(found, key=len, default="")
            may_grow = any(
                len(text) > max(len(longest), len(self._text))
                and text.startswith(self._text)
                for text in texts
            )
            if not may_grow or self.has_ended:
                return longest
            yield

    def accept(self, *texts: str) -> Asked:
        """Read the text of these that comes next, and return it; empty: none does.

        Where the answer was cut off within one, its beginning is read as well: half
        of a marker is nothing to show.
        """
        found = yield from self.ahead(*texts)
        if not found and self._text and self.has_ended and self.was_cut:
            if any(text.startswith(self._text) for text in texts):
                self.take(len(self._text))
            return ""
        return self.take(len(found))

    def expect(self, *texts: str) -> Asked:
        """Read one of these texts, which has to come next.

        Raises:
            NotWrittenError: none of them does.
            CutOffError: the answer has ended.
        """
        found = yield from self.accept(*texts)
        if not found:
            if self.has_ended and (
                not self._text or any(text.startswith(self._text) for text in texts)
            ):
                raise CutOffError
            raise NotWrittenError(f"{texts[0]!r} was expected")
        return found

    def until(
        self,
        *ends: str,
        pipe: Callable[[str], Any] | None = None,
        most: int | None = None,
    ) -> Generator[None, None, tuple[str, str]]:
        """Read up to the first of `ends`, which is read too; return both.

        With `pipe`, text is handed to it as soon as it is certain, and the first of
        the two is empty. `most` bounds its length.

        Raises:
            NotWrittenError: it is longer than `most`.
            CutOffError: the answer has ended before; nothing but what was piped is
                read.
        """
        text = yield from self.before(*ends, pipe=pipe, most=most)
        end = yield from self.expect(*ends)
        return text, end

    def before(
        self,
        *ends: str,
        pipe: Callable[[str], Any] | None = None,
        most: int | None = None,
    ) -> Asked:
        """Read up to the first of `ends`, which stays; as `until` does."""
        searched = 0
        while True:
            found = [at for end in ends if (at := self._text.find(end, searched)) >= 0]
            if most is not None and min(found, default=len(self._text)) > most:
                raise NotWrittenError(f"{ends[0]!r} was expected")
            if found:
                text = self.take(min(found))
                if pipe is None:
                    return text
                if text:
                    pipe(text)
                return ""
            held = length_at_risk(self._text, ends)
            if pipe is not None and len(self._text) > held:
                pipe(self.take(len(self._text) - held))
            searched = max(0, len(self._text) - held)
            yield from self.more()

    def json(self, pipe: Callable[[str], Any]) -> Reading:
        """Read one JSON value to its end and pipe it as it comes.

        Objects, arrays and strings are followed by their brackets and quotes, other
        values up to a blank or a bracket. What stands between is not judged.

        Raises:
            NotWrittenError: no value comes.
            CutOffError: the answer has ended before it.
        """
        yield from self.blanks()
        if not self._text:
            raise CutOffError
        if self._text[0] not in '{["':
            yield from self._scalar(pipe)
            return
        follower = _Brackets()
        while True:
            end = follower.end_in(self._text)
            if end is not None:
                pipe(self.take(end))
                return
            if self._text:
                pipe(self.take(len(self._text)))
            yield from self.more()

    def _scalar(self, pipe: Callable[[str], Any]) -> Reading:
        searched = 0
        while True:
            found = _SCALAR_ENDS.search(self._text, searched)
            if found or self.has_ended:
                end = found.start() if found else len(self._text)
                if not end:
                    raise NotWrittenError("a value was expected")
                pipe(self.take(end))
                return
            searched = len(self._text)
            yield

    def peek(self) -> Asked:
        """Return the next character; empty at the answer's end."""
        while not self._text and not self.has_ended:
            yield
        return self._text[:1]


class _Brackets:
    """Follows a JSON value that begins with a bracket or a quote to its end."""

    def __init__(self) -> None:
        self._depth = 0
        self._in_string = False
        self._is_escaped = False

    def end_in(self, text: str) -> int | None:
        """Take more of the value; return where it ends in `text`, if it does."""
        for at, character in enumerate(text):
            if self._in_string:
                self._follow_string(character)
            elif character == '"':
                self._in_string = True
                continue
            elif character in "{[":
                self._depth += 1
            elif character in "}]":
                self._depth -= 1
            if not self._depth and not self._in_string:
                return at + 1
        return None

    def _follow_string(self, character: str) -> None:
        if self._is_escaped:
            self._is_escaped = False
        elif character == "\\":
            self._is_escaped = True
        elif character == '"':
            self._in_string = False


def length_at_risk(text: str, markers: tuple[str, ...]) -> int:
    """Return the length of the longest tail of `text` that may begin a marker."""
    longest = max((len(marker) for marker in markers), default=1) - 1
    for length in range(min(longest, len(text)), 0, -1):
        tail = text[-length:]
        if any(marker.startswith(tail) for marker in markers):
            return length
    return 0
