"""A download in one line for a person: how much, how fast, how long still."""

from __future__ import annotations

import shutil
import time
from collections import deque
from typing import TYPE_CHECKING

from inference.library.words import size_in_words

if TYPE_CHECKING:
    from collections.abc import Callable

    from inference.library.hub_reports import DownloadProgress

WINDOW_S = 10.0  # the speed is that of the last seconds
MEASURED_S = 0.5  # shorter, and it is chance
LINE_EVERY_S = 2.0  # where lines stay


class DownloadMeter:
    """Owns what was seen of one download lately. `clock` in seconds."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._seen: deque[tuple[float, int]] = deque()

    def line(self, progress: DownloadProgress) -> str:
        """Return `1.23 GB of 4.61 GB   26 %   45.1 MB/s   1 min 15 s left`."""
        self._note(progress.done_bytes)
        done, total = progress.done_bytes, progress.total_bytes
        parts = [f"{size_in_words(done)} of {size_in_words(total)}"]
        if total:
            parts.append(f"{int(100 * done / total)} %")
        speed = self._bytes_per_s()
        if speed is not None and done < total:
            parts.append(f"{size_in_words(int(speed))}/s")
            if speed >= 1:
                parts.append(f"{time_in_words((total - done) / speed)} left")
        return "   ".join(parts)

    def _note(self, done_bytes: int) -> None:
        now = self._clock()
        self._seen.append((now, done_bytes))
        while len(self._seen) > 2 and now - self._seen[1][0] >= WINDOW_S:
            self._seen.popleft()

    def _bytes_per_s(self) -> float | None:
        """Return the speed; `None` while there is too little to tell it by."""
        (began_at, first), (now, last) = self._seen[0], self._seen[-1]
        if now - began_at < MEASURED_S:
            return None
        return max(0.0, (last - first) / (now - began_at))


class ProgressLine:
    """A line that rewrites itself on a terminal; elsewhere a line now and then.

    `write` shows a text at once, and no line end but the text's own.
    """

    def __init__(
        self,
        write: Callable[[str], None],
        *,
        is_terminal: bool,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._write = write
        self._is_terminal = is_terminal
        self._clock = clock
        self._meter = DownloadMeter(clock=clock)
        self._next_at = clock()
        self._shown = ""

    def show(self, progress: DownloadProgress) -> None:
        """Show the newest figures, or keep still for a while."""
        line = self._meter.line(progress)
        if self._is_terminal:
            width = shutil.get_terminal_size().columns - 1
            self._write("\r" + line[:width].ljust(width))
        elif self._clock() < self._next_at or line == self._shown:
            return
        else:
            self._write(f"{line}\n")
            self._next_at = self._clock() + LINE_EVERY_S
        self._shown = line

    def __enter__(self) -> ProgressLine:
        """Begin; nothing is shown yet."""
        return self

    def __exit__(self, *error: object) -> None:
        """Leave the line that was rewritten, so that others can be written."""
        if self._is_terminal and self._shown:
            self._write("\n")


def time_in_words(seconds: float) -> str:
    """Return a time to two units: `14 s`, `1 min 15 s`, `2 h 5 min`."""
    whole = int(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
