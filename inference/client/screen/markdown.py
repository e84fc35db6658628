"""Markdown as models write it: how it is read, and where its blocks end.

Differs from a web page's in what suits a terminal: line breaks stay, HTML is text,
links and pictures show their address, code can be copied as it stands.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, ClassVar

from markdown_it import MarkdownIt
from markdown_it.token import Token
from rich.markdown import (
    CodeBlock,
    Heading,
    HorizontalRule,
    ListItem,
    Markdown,
    TableElement,
)
from rich.rule import Rule
from rich.segment import Segment
from rich.syntax import Syntax
from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rich.console import Console, ConsoleOptions, JustifyMethod, RenderResult
    from rich.markdown import MarkdownElement

_PARSER = (
    MarkdownIt("commonmark", {"html": False})
    .enable(["table", "strikethrough"])
    # A definition would hide an address that earlier blocks name; and code that
    # stands in no fence keeps its lines and what they are indented by.
    .disable(["reference", "newline"])
)


class _Code(CodeBlock):
    """Code without a frame or a background."""

    def __rich_console__(
        self, console: Console, options: ConsoleOptions
    ) -> RenderResult:
        yield Syntax(
            str(self.text).rstrip(),
            self.lexer_name,
            theme=self.theme,
            word_wrap=True,
            background_color="default",
        )


class _Heading(Heading):
    """A heading at the left, like all else."""

    LEVEL_ALIGN: ClassVar[dict[str, JustifyMethod]] = {"h1": "left"}


class _Item(ListItem):
    """An item whose number has its point: `1.`."""

    def render_number(
        self, console: Console, options: ConsoleOptions, number: int, last_number: int
    ) -> RenderResult:
        width = len(str(last_number)) + 2
        bare, pointed = (
            f"{numeral:>{width - 1}} " for numeral in (str(number), f"{number}.")
        )
        parts = super().render_number(console, options, number, last_number)
        for at, part in enumerate(parts):
            if not at and isinstance(part, Segment) and part.text == bare:
                yield Segment(pointed, part.style)
            else:
                yield part


class _Table(TableElement):
    """A table without the empty lines around it."""

    def __rich_console__(
        self, console: Console, options: ConsoleOptions
    ) -> RenderResult:
        for table in super().__rich_console__(console, options):
            if isinstance(table, Table):
                table.show_edge = False
            yield table


class _Rule(HorizontalRule):
    """A rule that stands apart like any other block."""

    new_line = True

    def __rich_console__(
        self, console: Console, options: ConsoleOptions
    ) -> RenderResult:
        yield Rule(style="markdown.hr", characters="-")


class AnswerMarkdown(Markdown):
    """Renders a model's Markdown."""

    elements: ClassVar[dict[str, type[MarkdownElement]]] = {
        **Markdown.elements,
        "fence": _Code,
        "code_block": _Code,
        "heading_open": _Heading,
        "list_item_open": _Item,
        "table_open": _Table,
        "hr": _Rule,
    }

    def __init__(self, text: str) -> None:
        super().__init__("", code_theme="ansi_dark", hyperlinks=False)
        self.markup = text
        self.parsed = _readable(_PARSER.parse(text))


class MarkdownBlocks:
    """Takes a text as it comes and tells finished blocks from the last one."""

    def __init__(self) -> None:
        self.rest = ""

    def feed(self, text: str) -> list[str]:
        """Take a piece; return the blocks that nothing to come can change."""
        self.rest += text
        if "\n" not in text:
            return []
        # A line that is not whole may yet become anything.
        lines = self.rest.split("\n")
        starts = _block_starts("\n".join(lines[:-1]))
        done = ["\n".join(lines[start:end]) for start, end in pairwise(starts)]
        if done:
            self.rest = "\n".join(lines[starts[-1] :])
        return done

    def flush(self) -> str:
        """Return the last block; the text has ended."""
        rest, self.rest = self.rest, ""
        return rest


def _block_starts(text: str) -> list[int]:
    """Return the line at which each block begins, the outermost ones only."""
    return [
        token.map[0]
        for token in _PARSER.parse(text)
        if token.level == 0 and token.map is not None and token.nesting >= 0
    ]


def _readable(tokens: Iterable[Token]) -> list[Token]:
    made = []
    for token in tokens:
        if token.children is not None:
            token.children = list(_readable_inline(token.children))
        made.append(token)
    return made


def _readable_inline(tokens: Iterable[Token]) -> Iterable[Token]:
    """Put addresses behind what they belong to."""
    target, said = "", ""
    for token in tokens:
        match token.type:
            case "link_open":
                target, said = str(token.attrs.get("href", "")), ""
            case "link_close":
                if target and target not in {said, f"mailto:{said}"}:
                    yield _text(f" ({target})")
            case "image":
                said += token.content
                yield _text(f"{token.content} ({token.attrs.get('src', '')})".strip())
            case _:
                said += token.content
                yield token


def _text(content: str) -> Token:
    return Token("text", "", 0, content=content)
