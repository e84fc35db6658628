"""A pseudo-terminal: what a person would type goes in, what they would see comes out."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import struct
import subprocess
import sys
import termios
import threading
from typing import TYPE_CHECKING

from tests.e2e.servers import PATIENCE_S, REPOSITORY

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# The first terminal that the leader of a session opens is its own: Ctrl-C reaches it.
TAKE_TERMINAL = (
    "import os, sys; os.open(os.ttyname(0), os.O_RDWR);"
    "os.execv(sys.executable, [sys.executable, *sys.argv[1:]])"
)
ASKS_FOR_CURSOR = b"\x1b[6n"
CTRL_C, CTRL_D, TAB, ENTER, ALT_ENTER = "\x03", "\x04", "\t", "\r", "\x1b\r"
# Everything that a terminal acts upon, and does not show.
CODES = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b.")


class Terminal:
    """One `mlx-server` command on a terminal of its own.

    `seen` is all that was written so far, with its codes; `text` without them.
    """

    def __init__(
        self,
        *words: str,
        data_dir: Path,
        columns: int = 80,
        rows: int = 30,
        **environment: str,
    ) -> None:
        self.seen = ""
        self._changed = threading.Condition()
        self._fd, inner = os.openpty()
        _set_size(inner, columns, rows)
        self._process = subprocess.Popen(
            [sys.executable, "-c", TAKE_TERMINAL, "-m", "mlxsite", *words],
            env=_environment(data_dir) | environment,
            cwd=REPOSITORY,
            stdin=inner,
            stdout=inner,
            stderr=inner,
            start_new_session=True,
        )
        os.close(inner)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def text(self) -> str:
        """Return what was written, without codes; redrawn lines are there each time."""
        return CODES.sub("", self.seen).replace("\r", "")

    def type(self, text: str) -> None:
        """Send keys as they are."""
        os.write(self._fd, text.encode())

    def enter(self, line: str) -> None:
        """Type a line and send it."""
        self.type(line + ENTER)

    def mark(self) -> int:
        """Return where the text ends now, to wait for what comes after it."""
        return len(self.text)

    def wait_for(self, what: str, *, after: int = 0) -> str:
        """Return the text once it holds `what` (a pattern) behind `after`."""
        pattern = re.compile(what)
        with self._changed:
            found = self._changed.wait_for(
                lambda: pattern.search(self.text, after), PATIENCE_S
            )
            assert found, f"{what!r} was not seen in:\n{self.text[after:]}"
            return self.text[after:]

    def resize(self, columns: int, rows: int) -> None:
        """Make the terminal another size; the program is told."""
        _set_size(self._fd, columns, rows)

    def wait(self) -> int:
        """Return the exit code, once the command has ended."""
        self._reader.join(PATIENCE_S)
        assert not self._reader.is_alive(), f"It has not ended:\n{self.text}"
        return self._process.wait(PATIENCE_S)

    def close(self) -> None:
        """End the command, if it still runs."""
        self._process.kill()
        self._process.wait()
        self._reader.join(5)
        os.close(self._fd)

    def _read(self) -> None:
        rest = asked = b""
        while True:
            try:
                data = os.read(self._fd, 65536)
            except OSError:  # how Linux says that the other side is closed
                data = b""
            # A code may be cut in two, and who asks may be gone before the answer.
            asked += data
            if ASKS_FOR_CURSOR in asked:
                with contextlib.suppress(OSError):
                    os.write(self._fd, b"\x1b[1;1R")
            asked = asked[1 - len(ASKS_FOR_CURSOR) :]
            rest += data
            # So may a character.
            text = rest.decode("utf-8", "ignore")
            rest = rest[len(text.encode()) :]
            with self._changed:
                self.seen += text
                self._changed.notify_all()
            if not data:
                return


def _environment(data_dir: Path) -> dict[str, str]:
    unwanted = ("OPENAI_", "COLUMNS", "LINES", "NO_COLOR")
    kept = {k: v for k, v in os.environ.items() if not k.startswith(unwanted)}
    return kept | {"TERM": "xterm-256color", "MLX_DATA_DIR": str(data_dir)}


def _set_size(fd: int, columns: int, rows: int) -> None:
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


@contextlib.contextmanager
def on_terminal(
    *words: str, data_dir: Path, columns: int = 80, rows: int = 30, **environment: str
) -> Iterator[Terminal]:
    """Run a command on a terminal for the length of a block."""
    terminal = Terminal(
        *words, data_dir=data_dir, columns=columns, rows=rows, **environment
    )
    try:
        yield terminal
    finally:
        terminal.close()
