"""This run's spool files, and the lines that found no room in them.

`append` belongs to the event loop and never raises (its lock is for a stray call
from elsewhere). Everything else belongs to the writer thread. Between the two stand
deques and plain numbers with one writer each.
"""

from __future__ import annotations

import logging
import re
import threading
from collections import deque
from typing import TYPE_CHECKING

from inference.core.timing import Clock, SystemClock
from metrics.recorder.lines import encode_run
from metrics.recorder.spool_file import SpoolFile

if TYPE_CHECKING:
    from pathlib import Path

    from inference.core.trace import ServerIdentity

logger = logging.getLogger("metrics.recorder")

ROTATE_BYTES = 16 * 1024 * 1024
BACKLOG_LINES = 10_000
_REOPEN_AFTER_S = 1.0


class Spool:
    """Appends lines; hands them out again in order, oldest file first."""

    def __init__(
        self,
        *,
        folder: Path,
        identity: ServerIdentity,
        rotate_bytes: int = ROTATE_BYTES,
        backlog_lines: int = BACKLOG_LINES,
        clock: Clock | None = None,
    ) -> None:
        self.folder = folder
        self.identity = identity
        self.files: deque[SpoolFile] = deque()
        self.backlog: deque[bytes] = deque()
        self.written_bytes = 0
        self.dropped_total = 0
        self.last_error = ""
        self._rotate_bytes = rotate_bytes
        self._backlog_lines = backlog_lines
        self._clock = clock or SystemClock()
        self._parts = 0
        self._open_again_at = 0.0
        self._lock = threading.Lock()

    def append(self, line: bytes) -> None:
        """Keep a line: in the file, else in memory, else count it as dropped."""
        with self._lock:
            self._keep(line)

    def open(self) -> None:
        """Begin a file. Where that fails, the one before goes on."""
        try:
            self._begin_file()
        except OSError as error:
            self._open_again_at = self._clock.monotonic() + _REOPEN_AFTER_S
            self._note(error)

    def oldest(self) -> SpoolFile | None:
        """Return the file to read from."""
        return self.files[0] if self.files else None

    def has_newer_than(self, file: SpoolFile) -> bool:
        """Whether `file` was rotated away, so that no line will follow in it."""
        return self.files[-1] is not file

    def sync(self) -> None:
        """Bring the newest file to the disk itself."""
        if self.files:
            self.files[-1].sync()

    def close(self) -> None:
        """Give up all locks; what is not in the database stays for a replay."""
        while self.files:
            self.files.popleft().close()

    def _keep(self, line: bytes) -> None:
        if self._write(line):
            return
        if len(self.backlog) < self._backlog_lines:
            self.backlog.append(line)
        else:
            self.dropped_total += 1

    def _write(self, line: bytes) -> bool:
        self._make_room()
        if not self.files:
            return False
        try:
            self.files[-1].append(line)
        except OSError as error:
            self._note(error)
            return False
        self.written_bytes += len(line)
        self.last_error = ""
        return True

    def _make_room(self) -> None:
        is_full = not self.files or self.files[-1].size >= self._rotate_bytes
        if is_full and self._clock.monotonic() >= self._open_again_at:
            self.open()

    def _begin_file(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / self._name(self._parts)
        file = SpoolFile.create(path, encode_run(self.identity, self._parts))
        self._parts += 1
        self.written_bytes += file.size
        self.files.append(file)

    def _name(self, part: int) -> str:
        stem = f"{self.identity.node[:120]}-{self.identity.boot_id}"
        suffix = f".{part}.jsonl" if part else ".jsonl"
        return re.sub(r"[^\w.-]", "_", stem) + suffix

    def _note(self, error: OSError) -> None:
        if not self.last_error:
            logger.warning("Cannot write to the spool %s: %s", self.folder, error)
        self.last_error = f"spool: {error}"
