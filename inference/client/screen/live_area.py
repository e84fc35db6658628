"""The last lines of a terminal, drawn again and again; what is above them stays.

`rich.live` keeps one screenful and cuts the rest; an answer is longer than that,
and a terminal may become narrower while it is drawn.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.control import Control
from rich.segment import ControlType, Segment, Segments

from inference.client.screen.lines import Line, as_segments, width_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console


class LiveArea:
    """Owns the lines at the bottom, from the first `draw` to `end`."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._widths: list[int] = []
        self._is_open = False

    @property
    def height(self) -> int:
        """How many lines can be drawn: one is left for the cursor."""
        return max(1, self._console.height - 1)

    def draw(self, lines: Sequence[Line], *, above: Sequence[Line] = ()) -> None:
        """Put lines in the place of the last ones; `above` them, for good, others.

        Of lines that are too many for the screen the last ones are shown.
        """
        shown = list(lines[-self.height :])
        segments = [self._erased(), *as_segments([*above, *shown]).segments]
        if not self._is_open:
            self._is_open = True
            self._console.show_cursor(False)
        self._console.print(Segments(segments), end="", crop=False, soft_wrap=True)
        self._widths = list(map(width_of, shown))

    def end(self, lines: Sequence[Line] = ()) -> None:
        """Leave lines where the last ones were, and give the cursor back."""
        if self._is_open or lines:
            self.draw((), above=lines)
        if self._is_open:
            self._console.show_cursor(True)
        self._widths, self._is_open = [], False

    def _erased(self) -> Segment:
        """Return the codes that erase what was drawn, and the row of the cursor."""
        one_up = ((ControlType.CURSOR_UP, 1), (ControlType.ERASE_IN_LINE, 2))
        return Control(
            ControlType.CARRIAGE_RETURN,
            (ControlType.ERASE_IN_LINE, 2),
            *(one_up * self._rows()),
        ).segment

    def _rows(self) -> int:
        """Count the rows that the drawn lines take now.

        Terminals wrap long lines when they become narrower.
        """
        width = max(1, self._console.width)
        rows = sum(max(1, -(-drawn // width)) for drawn in self._widths)
        return min(rows, self._console.height)
