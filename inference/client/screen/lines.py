"""Text as lines of a terminal: Markdown and plain words, harmless and not padded.

The last door before the screen: whatever a renderer makes of a model's text, no
control character gets past here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.segment import Segment, Segments

from inference.client.escapes import TerminalText

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rich.console import Console, RenderableType

Line = list[Segment]


def to_lines(
    console: Console, renderable: RenderableType, *, width: int | None = None
) -> list[Line]:
    """Return what a renderable looks like, without the blank lines around it."""
    options = console.options.update(width=width or console.width, height=None)
    lines = console.render_lines(renderable, options, pad=False)
    return stripped([_trimmed(_harmless(line)) for line in lines])


def as_segments(lines: Iterable[Line]) -> Segments:
    """Return lines as one thing to print; it ends its last line itself."""
    return Segments(segment for line in lines for segment in [*line, Segment.line()])


def stripped(lines: Sequence[Line]) -> list[Line]:
    """Return the lines without the empty ones at both ends."""
    first, last = 0, len(lines)
    while first < last and not width_of(lines[first]):
        first += 1
    while first < last and not width_of(lines[last - 1]):
        last -= 1
    return list(lines[first:last])


def width_of(line: Iterable[Segment]) -> int:
    """Return how many columns a line takes."""
    return sum(segment.cell_length for segment in line)


def padded(line: Line, width: int) -> Line:
    """Return a line with blanks up to `width`."""
    return [*line, Segment(" " * max(0, width - width_of(line)))]


def _harmless(line: Iterable[Segment]) -> Line:
    text = TerminalText()
    return [
        Segment(text.feed(segment.text).expandtabs(4), segment.style)
        for segment in line
        if not segment.control
    ]


def _trimmed(line: Line) -> Line:
    """Leave blanks at the end out: a narrower terminal would wrap them."""
    kept = list(line)
    while kept:
        text, style, _ = kept[-1]
        if style is not None and style.bgcolor is not None:
            return kept
        if text := text.rstrip(" "):
            return [*kept[:-1], Segment(text, style)]
        kept.pop()
    return kept
