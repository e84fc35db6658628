"""One answer on a terminal, or as plain text where it goes elsewhere."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, TextIO

from rich.segment import Segment
from rich.text import Text

from inference.client.asking import STOPPED
from inference.client.escapes import TerminalText
from inference.client.screen.lines import Line, to_lines
from inference.client.screen.live_area import LiveArea
from inference.client.screen.markdown import AnswerMarkdown, MarkdownBlocks
from inference.client.screen.words import (
    ending_in_words,
    figures_in_words,
    one_line,
)

if TYPE_CHECKING:
    from rich.console import Console

    from inference.client.answers import Answer

# Shorter waits are not worth a line.
WAIT_SHOWN_S = 0.5
BAR = "│"


class AnswerView:
    """Draws Markdown while it comes, thinking dimmed before it, and the figures."""

    def __init__(self, console: Console, answer: Answer) -> None:
        self._console = console
        self._answer = answer
        self._area = LiveArea(console)
        self._thinking = _AnswerPart(MarkdownBlocks())
        self._text = _AnswerPart(MarkdownBlocks())
        self._bar: Line = [Segment(BAR, console.get_style("thinking"))]
        self._has_lines = False
        self._drawn: object = None

    def draw(self) -> None:
        """Show what is new."""
        now = self._state()
        if now == self._drawn:
            return
        self._drawn = now
        above = self._finished()
        self._area.draw(self._unfinished(), above=above)

    def finish(self) -> None:
        """Show all of it, and what it came to."""
        lines = self._finished()
        lines += self._kept(self._thinking_lines(self._thinking.flush()), self._bar)
        lines += self._kept(self._text_lines(self._text.flush()))
        lines += self._kept(to_lines(self._console, self._footer()))
        self._area.end(lines)

    def _state(self) -> object:
        """Return what is drawn of; equal states look alike."""
        waited = self._waited()
        width = self._console.width
        return len(self._answer.thinking), len(self._answer.text), waited, width

    def _waited(self) -> str:
        answer = self._answer
        if answer.has_begun or answer.is_over or answer.elapsed_s < WAIT_SHOWN_S:
            return ""
        return f"waiting, {answer.elapsed_s:.0f} s"

    def _finished(self) -> list[Line]:
        """Return the lines that nothing to come can change, and which are not drawn."""
        lines: list[Line] = []
        for block in self._thinking.feed(self._answer.thinking):
            lines += self._kept(self._thinking_lines(block), self._bar)
        if self._answer.text:
            rest = self._thinking.flush()
            lines += self._kept(self._thinking_lines(rest), self._bar)
        for block in self._text.feed(self._answer.text):
            lines += self._kept(self._text_lines(block))
        return lines

    def _unfinished(self) -> list[Line]:
        if waited := self._waited():
            return to_lines(self._console, Text(waited, style="quiet"))
        thinking = self._thinking_lines(self._thinking.rest)
        if thinking:
            return self._spaced(thinking, self._bar)
        return self._spaced(self._text_lines(self._text.rest))

    def _thinking_lines(self, block: str) -> list[Line]:
        if not block.strip():
            return []
        text = Text(block.strip("\n"), style="thinking")
        blank, width = Segment(" "), self._console.width - 2
        return [
            [*self._bar, blank, *line] if line else self._bar
            for line in to_lines(self._console, text, width=width)
        ]

    def _text_lines(self, block: str) -> list[Line]:
        return to_lines(self._console, AnswerMarkdown(block)) if block.strip() else []

    def _footer(self) -> Text:
        answer = self._answer
        words = [*figures_in_words(answer.figures()), *ending_in_words(answer)]
        if answer.model:
            words.insert(0, one_line(answer.model))
        if not answer.has_begun and answer.finish_reason in {"", STOPPED}:
            words = [STOPPED] if answer.finish_reason else []
        return Text(", ".join(words), style="quiet")

    def _kept(self, lines: list[Line], gap: Line | None = None) -> list[Line]:
        """Return what is shown for good, apart from what was shown before."""
        spaced = self._spaced(lines, gap)
        self._has_lines = self._has_lines or bool(lines)
        return spaced

    def _spaced(self, lines: list[Line], gap: Line | None = None) -> list[Line]:
        """Put a gap before what is not the first."""
        return [gap or [], *lines] if lines and self._has_lines else lines


class PlainView:
    """Writes the text alone, as it comes; notes about its end go to stderr."""

    def __init__(
        self, answer: Answer, out: TextIO | None = None, notes: TextIO | None = None
    ) -> None:
        self._answer = answer
        self._out = out or sys.stdout
        self._notes = notes or sys.stderr
        self._filter = TerminalText()
        self._seen = 0
        self._last = ""

    def draw(self) -> None:
        """Write what is new."""
        new = self._filter.feed(self._answer.text[self._seen :])
        self._seen = len(self._answer.text)
        if new:
            self._out.write(new)
            self._out.flush()
            self._last = new[-1]

    def finish(self) -> None:
        """Write the rest, and end its line."""
        self.draw()
        if self._last not in {"", "\n"}:
            self._out.write("\n")
            self._out.flush()
        for words in ending_in_words(self._answer):
            if self._answer.finish_reason != STOPPED:
                self._notes.write(f"note: the answer ended early: {words}\n")


class _AnswerPart:
    """The thinking or the text of an answer: what of it is finished, and the rest."""

    def __init__(self, blocks: MarkdownBlocks) -> None:
        self._blocks = blocks
        self._filter = TerminalText()
        self._seen = 0

    @property
    def rest(self) -> str:
        """The block that is not finished."""
        return self._blocks.rest

    def feed(self, whole: str) -> list[str]:
        """Read what is new in the whole text; return the blocks that are finished."""
        new = self._filter.feed(whole[self._seen :])
        self._seen = len(whole)
        return self._blocks.feed(new)

    def flush(self) -> str:
        """Return the last block."""
        return self._blocks.flush()
