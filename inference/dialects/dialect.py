"""What a dialect is: how thinking is marked, how calls begin, who reads and forces them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from inference.core.requests import Tool
    from inference.dialects.signatures import Signature
    from inference.dialects.source import Reading, Source


@dataclass(frozen=True, slots=True)
class ThinkingTags:
    """The texts that a model writes around its thinking."""

    start: str
    end: str


class CallSink(Protocol):
    """Takes calls as a reader finds them: name, JSON text of the arguments, end.

    `holds_back`: calls are taken in as a whole and judged at their end; else a
    grammar holds the model, and pieces are handed on as they come.
    """

    @property
    def holds_back(self) -> bool:
        """Whether a call is judged before anybody sees it."""

    def begin(self, name: str, call_id: str = "") -> Signature:
        """Begin a call; return what its function declares.

        Raises:
            NotWrittenError: no such function may be called.
        """

    def identify(self, call_id: str) -> None:
        """Take the id that the model gave the call, where it stands after the name."""

    def write(self, piece: str) -> None:
        """Add to the JSON text of the arguments."""

    def end(self) -> None:
        """End the call.

        Raises:
            NotWrittenError: its arguments do not fit what is declared.
        """

    def warn(self, slip: str) -> None:
        """Note what was not written as it should be."""


@dataclass(frozen=True, slots=True)
class Opener:
    """A text that begins calls, and the reader of what follows.

    `only_first`: only where the answer begins with it. `keeps`: the text is left
    for the reader to read. `slip` is a warning, where a model should have written
    something else before.
    """

    text: str
    read: Callable[[Source, CallSink], Reading]
    only_first: bool = False
    keeps: bool = False
    slip: str = ""


@dataclass(frozen=True, slots=True)
class Calling:
    """What one request's answers may call: `tools`, several of them if `parallel`.

    `whole` reads the whole answer, after thinking, as calls.
    """

    tools: tuple[Tool, ...]
    parallel: bool = True
    whole: Opener | None = None


@dataclass(frozen=True, slots=True)
class CallForm:
    """How calls are written, for a grammar: `start`, then what `body` gives.

    `start` and `end` are the texts around one call, or around all of them where
    `wraps_all`; `separator` stands between calls. `body(tool, literal, name)` returns
    rules in Lark that write one call of a tool between them, the first of them named
    `name`; `literal(text)` returns a text of the model's own as the grammar has it.
    """

    start: str
    end: str
    body: Callable[[Tool, Callable[[str], str], str], Sequence[str]]
    separator: str = ""
    wraps_all: bool = False


@dataclass(frozen=True, slots=True)
class Dialect:
    """One way of writing thinking and calls.

    `thinking` are the pairs it may think between, the usual one first, `openers`
    the texts that begin calls, `dropped` texts that mean nothing to a client.
    `answers` reads a whole answer in place of all of these, where it is made of
    messages with headers. `form` is how calls are forced; without it, they are
    forced as plain JSON, which the model may find odd. `note` says what is best
    effort.
    """

    name: str
    thinking: tuple[ThinkingTags, ...] = ()
    openers: tuple[Opener, ...] = ()
    dropped: tuple[str, ...] = ()
    answers: Callable[..., Reading] | None = None
    form: CallForm | None = None
    note: str = ""
