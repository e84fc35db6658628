"""A screen that plays what was written to a terminal: for the codes the clients use."""

from __future__ import annotations

import io
import re

from rich.console import Console

from inference.client.screen.consoles import THEME

TOKEN = re.compile(r"\x1b\[(\??[0-9;]*)([A-Za-z])|([^\x1b]+)")


class Screen(io.StringIO):
    """Rows of characters, of which the last `height` can be written over.

    A row that ends without a line end goes on in the next: such rows are wrapped
    anew when the screen becomes narrower, as terminals do.
    """

    def __init__(self, *, width: int, height: int = 24) -> None:
        super().__init__()
        self.width, self.height = width, height
        self.rows: list[str] = [""]
        self.row = self.column = 0

    def isatty(self) -> bool:
        return True

    def write(self, text: str) -> int:
        for match in TOKEN.finditer(text):
            arguments, code, plain = match.groups()
            if plain is not None:
                for char in plain:
                    self._put(char)
            else:
                self._obey(arguments, code)
        return len(text)

    def narrow(self, width: int) -> None:
        """Wrap every row at a new width; the cursor stays behind what it followed."""
        assert self.row == len(self.rows) - 1
        wrapped: list[str] = []
        for row in self.rows:
            wrapped += [row[at : at + width] for at in range(0, len(row) or 1, width)]
        self.rows, self.width = wrapped, width
        self.row = len(wrapped) - 1

    def text(self) -> str:
        """Return all rows, those that have scrolled away too."""
        return "\n".join(row.rstrip() for row in self.rows).rstrip("\n")

    def console(self) -> Console:
        """Return a console that draws here, and asks here for its size."""
        screen = self

        class _Console(Console):
            @property
            def width(self) -> int:
                return screen.width

            @property
            def height(self) -> int:
                return screen.height

        return _Console(
            file=self,
            force_terminal=True,
            theme=THEME,
            markup=False,
            highlight=False,
            legacy_windows=False,
            _environ={"TERM": "xterm-256color", "NO_COLOR": "1"},
        )

    def _put(self, char: str) -> None:
        if char == "\n":
            self.row, self.column = self.row + 1, 0
        elif char == "\r":
            self.column = 0
        else:
            if self.column == self.width:
                self.row, self.column = self.row + 1, 0
            self._fill()
            row = self.rows[self.row].ljust(self.column)
            self.rows[self.row] = row[: self.column] + char + row[self.column + 1 :]
            self.column += 1
        self._fill()

    def _fill(self) -> None:
        while len(self.rows) <= self.row:
            self.rows.append("")

    def _obey(self, arguments: str, code: str) -> None:
        if code == "A":
            top = max(0, len(self.rows) - self.height)
            self.row = max(top, self.row - int(arguments or 1))
        elif code == "K":
            assert arguments == "2"
            self.rows[self.row] = ""
            # Rows below the cursor that were erased are as good as not there.
            while len(self.rows) > self.row + 1 and not self.rows[-1]:
                self.rows.pop()
        else:
            assert code in "mhl", code
