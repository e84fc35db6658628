"""What a dialect is: how thinking is marked, how calls begin, who reads and forces them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from inference.core.requests import Tool, ToolCall
    from inference.dialects.call_rules import CallRules
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

    `whole` reads the whole answer, after thinking, as calls. `only_first`: they can
    only come where the answer begins.
    """

    tools: tuple[Tool, ...]
    parallel: bool = True
    whole: Opener | None = None
    only_first: bool = False


class WriteCall(Protocol):
    """Gives the grammar of one call of a tool, but for `skipped`, its beginning."""

    def __call__(self, tool: Tool, rules: CallRules, skipped: str = "") -> str:
        """Return the expression, its rules among `rules`.

        Raises:
            CannotWriteError: the tool cannot be called so.
        """


@dataclass(frozen=True, slots=True)
class CallForm:
    """How calls are written, for a grammar: blocks of `start`, `lead`, calls, `end`.

    A block holds one call, or all where `wraps_all`; `separator` stands between two
    calls of a block, `between` between two blocks. `start` marks calls in free text
    too where `is_mark`, and is the beginning of the call itself where it `keeps`.
    `before` comes once before a forced answer. `is_typed`: values are written as
    texts whose types the schema tells. `most` bounds the calls of an answer. `shares`: models put
    several calls into one block of their own accord, and forget to end it.
    """

    start: str
    call: WriteCall
    lead: str = ""
    end: str = ""
    separator: str = ""
    between: str = "\n"
    before: str = ""
    wraps_all: bool = False
    is_mark: bool = True
    keeps: bool = False
    is_typed: bool = False
    most: int | None = None
    shares: bool = False


@dataclass(frozen=True, slots=True)
class Dialect:
    """One way of writing thinking and calls.

    `thinking` are the pairs it may think between, the usual one first, `openers`
    the texts that begin calls, `dropped` texts that mean nothing to a client.
    `answers` reads a whole answer in place of all of these, where it is made of
    messages with headers. `form` is how calls are forced, and held from its mark on;
    without it, they are forced as plain JSON, which the model may find odd. `variants`
    are the forms of models whose template holds a text, `marks` other forms that free
    text is held to. `content` stands before a text that is no call, `resumes` between
    the end of thinking and what follows it. `breaks` are marks that would end thinking
    in the wrong place. `write` gives earlier calls as text, for templates that drop
    them. `note` says what is best effort.
    """

    name: str
    thinking: tuple[ThinkingTags, ...] = ()
    openers: tuple[Opener, ...] = ()
    dropped: tuple[str, ...] = ()
    answers: Callable[..., Reading] | None = None
    form: CallForm | None = None
    variants: tuple[tuple[str, CallForm], ...] = ()
    marks: tuple[CallForm, ...] = ()
    content: str = ""
    resumes: str = ""
    breaks: tuple[str, ...] = ()
    write: Callable[[Sequence[ToolCall]], str] | None = None
    note: str = ""
