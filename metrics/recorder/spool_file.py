"""One spool file, open and locked (flock) as long as its object lives.

The lock tells other servers that this run is alive. It goes with the process,
however that ends, so a file whose lock is free belongs to a run that is over.
"""

from __future__ import annotations

import errno
import fcntl
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from pathlib import Path

_CHUNK_BYTES = 256 * 1024
# macOS has no fdatasync.
_sync = getattr(os, "fdatasync", os.fsync)


@dataclass(frozen=True, slots=True)
class Chunk:
    """Whole lines of a file, without their line ends, and where they stop."""

    lines: tuple[bytes, ...]
    end: int


class SpoolFile:
    """Append-only; a line is in it whole or not at all."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path = path
        self._descriptor = descriptor
        self.size = os.fstat(descriptor).st_size

    @classmethod
    def create(cls, path: Path, first_line: bytes) -> Self:
        """Make the file; nobody sees it by its name before it is locked and begun.

        Raises:
            OSError: there is no room or no permission.
        """
        opening = path.with_suffix(".opening")
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_TRUNC
        file = cls(opening, os.open(opening, flags, 0o600))
        try:
            fcntl.flock(file._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            file.append(first_line)
            file.path = opening.rename(path)
        except OSError:
            file.delete()
            raise
        return file

    @classmethod
    def claim(cls, path: Path) -> Self | None:
        """Open and lock the file of a run that is over; `None` where it lives."""
        try:
            file = cls(path, os.open(path, os.O_RDWR | os.O_APPEND))
        except FileNotFoundError:
            return None
        if file._lock() and not file._is_deleted():
            return file
        file.close()
        return None

    @property
    def modified_at(self) -> float:
        """When the last line was written, in Unix seconds."""
        return os.fstat(self._descriptor).st_mtime

    def append(self, line: bytes) -> None:
        """Add one line with one write.

        Raises:
            OSError: it could not be written whole; nothing of it remains.
        """
        written = os.write(self._descriptor, line)
        if written < len(line):
            os.ftruncate(self._descriptor, self.size)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self.size += written

    def read(self, offset: int, *, most_lines: int) -> Chunk:
        """Return up to `most_lines` whole lines from `offset` on; none at the end."""
        text = b""
        while b"\n" not in text:
            more = os.pread(self._descriptor, _CHUNK_BYTES, offset + len(text))
            if not more:
                return Chunk((), offset)
            text += more
        lines = tuple(text.split(b"\n")[:-1][:most_lines])
        return Chunk(lines, offset + sum(len(line) + 1 for line in lines))

    def sync(self) -> None:
        """Bring what was written to the disk itself."""
        _sync(self._descriptor)

    def delete(self) -> None:
        """Remove the file, and only then give up its lock."""
        self.path.unlink(missing_ok=True)
        self.close()

    def close(self) -> None:
        """Give up the lock; the file stays."""
        os.close(self._descriptor)

    def _lock(self) -> bool:
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def _is_deleted(self) -> bool:
        return os.fstat(self._descriptor).st_nlink == 0
