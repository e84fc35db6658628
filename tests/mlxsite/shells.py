"""A real shell on a pseudo-terminal, in which somebody presses Tab."""

from __future__ import annotations

import os
import re
import subprocess
import threading
from typing import TYPE_CHECKING

from tests.e2e.terminals import CODES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

PATIENCE_S = 60.0
CTRL_C, CLEAR_LINE = "\x03", "\x15"


class Shell:
    """Owns one shell; ends it when it is closed."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        self._seen = ""
        self._changed = threading.Condition()
        self._fd, inner = os.openpty()
        self._process = subprocess.Popen(
            command,
            env={**os.environ, "TERM": "dumb", "PS1": "$ ", **environment},
            stdin=inner,
            stdout=inner,
            stderr=inner,
            start_new_session=True,
        )
        os.close(inner)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def run(self, line: str) -> None:
        """Run a command and wait until it has ended."""
        self.type(f"{line}; echo do''ne\n")
        self.wait_for(r"done\s")

    def completed(self, line: str, pattern: str, *, tabs: int = 1) -> str:
        """Type a line and Tab; return what is written up to `pattern`, and clear it."""
        self.type(line + "\t" * tabs)
        text = self.wait_for(pattern)
        self.type(CLEAR_LINE + CTRL_C)
        self.run("true")
        return text

    def type(self, text: str) -> None:
        """Send keys, and look only at what comes after them."""
        with self._changed:
            self._seen = ""
        os.write(self._fd, text.encode())

    def wait_for(self, pattern: str) -> str:
        """Return what was written since the last keys, once it holds `pattern`."""
        with self._changed:
            found = self._changed.wait_for(
                lambda: re.search(pattern, self._text()), PATIENCE_S
            )
            assert found, f"{pattern!r} was not seen in {self._text()!r}"
            return self._text()

    def close(self) -> None:
        """End the shell."""
        self._process.kill()
        self._process.wait()
        self._reader.join(5)
        os.close(self._fd)

    def _text(self) -> str:
        return CODES.sub("", self._seen).replace("\r", "").replace("\a", "")

    def _read(self) -> None:
        while True:
            try:
                data = os.read(self._fd, 65536)
            except OSError:  # how Linux says that the other side is closed
                return
            if not data:
                return
            with self._changed:
                self._seen += data.decode("utf-8", "replace")
                self._changed.notify_all()
