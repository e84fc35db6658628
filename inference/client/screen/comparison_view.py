"""Several answers to one question, next to each other while they come."""

from __future__ import annotations

import sys
from itertools import zip_longest
from typing import TYPE_CHECKING, TextIO

from rich.segment import Segment
from rich.text import Text

from inference.client.escapes import harmless
from inference.client.screen.lines import Line, padded, to_lines
from inference.client.screen.live_area import LiveArea
from inference.client.screen.markdown import AnswerMarkdown
from inference.client.screen.words import (
    ending_in_words,
    figures_in_words,
    one_line,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rich.console import Console

    from inference.client.answers import Answer

GAP = " │ "
# In narrower columns one reads words, not sentences: then they stand below each other.
NARROWEST = 34
# While they come, so many lines of each answer are shown below each other.
FEWEST_LINES = 3


class ComparisonView:
    """Draws a column for each answer; below each other where the terminal is narrow.

    `answers` are named by what was asked for.
    """

    def __init__(self, console: Console, answers: Sequence[tuple[str, Answer]]) -> None:
        self._console = console
        self._answers = answers
        self._area = LiveArea(console)
        self._drawn: list[Line] = []
        self._kept: dict[int, tuple[tuple[int, int, int], list[Line]]] = {}

    def draw(self) -> None:
        """Show the end of each answer, as far as there is room."""
        lines = self._lines(self._area.height)
        if lines != self._drawn:
            self._drawn = lines
            self._area.draw(lines)

    def finish(self) -> None:
        """Show all of them whole."""
        self._area.end(self._lines(None))

    def _lines(self, height: int | None) -> list[Line]:
        count = len(self._answers)
        width = (self._console.width - len(GAP) * (count - 1)) // count
        if width < NARROWEST and count > 1:
            return self._stacked(height)
        columns = [self._column(at, width, height) for at in range(count)]
        tallest = max(len(text) for _, text, _ in columns)
        # The figures stand in one row.
        whole = [
            [*head, *text, *[[]] * (tallest - len(text)), *foot]
            for head, text, foot in columns
        ]
        return _side_by_side(whole, width, self._console)

    def _stacked(self, height: int | None) -> list[Line]:
        count, width = len(self._answers), self._console.width
        room = None if height is None else max(FEWEST_LINES + 2, height // count - 1)
        lines: list[Line] = []
        for at in range(count):
            head, text, foot = self._column(at, width, room)
            lines += [[], *head, *text, *foot] if at else [*head, *text, *foot]
        return lines

    def _column(
        self, at: int, width: int, height: int | None
    ) -> tuple[list[Line], list[Line], list[Line]]:
        """Return name, text and figures; of the text the end, where it is too long."""
        name, answer = self._answers[at]
        head = to_lines(self._console, Text(one_line(name), style="name"), width=width)
        foot = self._foot(answer, width)
        text = self._text(at, answer, width)
        if height is not None:
            text = text[-max(1, height - len(head) - len(foot)) :]
        return head, text, foot

    def _text(self, at: int, answer: Answer, width: int) -> list[Line]:
        shown = answer.text or answer.thinking
        state = len(answer.thinking), len(answer.text), width
        if at in self._kept and self._kept[at][0] == state:
            return self._kept[at][1]
        clean = harmless(shown)
        renderable = AnswerMarkdown(clean) if answer.text else Text(clean, "thinking")
        lines = to_lines(self._console, renderable, width=width)
        self._kept[at] = state, lines
        return lines

    def _foot(self, answer: Answer, width: int) -> list[Line]:
        if answer.error:
            text = Text(one_line(answer.error), style="fault")
            return to_lines(self._console, text, width=width)
        if not answer.has_begun and not answer.is_over:
            words = [f"waiting, {answer.elapsed_s:.0f} s"]
        else:
            words = [*figures_in_words(answer.figures()), *ending_in_words(answer)]
        text = Text(", ".join(words), style="quiet")
        return to_lines(self._console, text, width=width)


class PlainComparison:
    """Writes each answer as soon as it is whole, under the name of its model."""

    def __init__(
        self, answers: Sequence[tuple[str, Answer]], out: TextIO | None = None
    ) -> None:
        self._waiting = list(answers)
        self._out = out or sys.stdout
        self._has_written = False

    def draw(self) -> None:
        """Write the answers that have ended since the last time."""
        for named in [each for each in self._waiting if each[1].is_over]:
            self._waiting.remove(named)
            self._write(*named)

    def finish(self) -> None:
        """Write the others as far as they came."""
        self.draw()
        for name, answer in self._waiting:
            if answer.has_begun:
                self._write(name, answer)
        self._waiting.clear()

    def _write(self, name: str, answer: Answer) -> None:
        text = harmless(answer.text).strip("\n")
        words = [*figures_in_words(answer.figures()), *ending_in_words(answer)]
        said = f"error: {one_line(answer.error)}" if answer.error else ", ".join(words)
        parts = [f"== {one_line(name)} ==", text, f"({said})"]
        before = "\n" if self._has_written else ""
        self._out.write(before + "\n".join(filter(None, parts)) + "\n")
        self._out.flush()
        self._has_written = True


def failures(answers: Sequence[tuple[str, Answer]]) -> Mapping[str, str]:
    """Return what went wrong, by model."""
    return {name: answer.error for name, answer in answers if answer.error}


def _side_by_side(
    columns: Sequence[Sequence[Line]], width: int, console: Console
) -> list[Line]:
    gap = Segment(GAP, console.get_style("quiet"))
    lines = []
    for row in zip_longest(*columns, fillvalue=()):
        line: Line = []
        for at, cells in enumerate(row):
            is_last = at == len(row) - 1
            line += [*cells] if is_last else [*padded([*cells], width), gap]
        lines.append(line)
    return lines
