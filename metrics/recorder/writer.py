"""The writer thread: from the spool into the database, with its own connection.

It owns what has been read and committed. Trouble with the database makes it wait
and try again; the spool keeps the lines meanwhile.
"""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.db import DEFAULT_DB_ALIAS, Error, connections

from inference.core.events import ServerEvent
from inference.core.timing import Clock, SystemClock
from metrics.recorder.commits import Batch, commit
from metrics.recorder.dead_runs import (
    BATCH_LINES,
    end_run,
    forget_positions,
    replay_dead_runs,
)
from metrics.recorder.lines import encode_event
from metrics.retention import Pruner, Retention
from metrics.rollups.backfill import backfill, is_needed

if TYPE_CHECKING:
    from metrics.recorder.redaction import Redact
    from metrics.recorder.spool import Spool
    from metrics.recorder.spool_file import SpoolFile

logger = logging.getLogger("metrics.recorder")

# After the first line, for others that come with it; and from one commit to the next,
# since the statements of a commit cost more than its rows.
FLUSH_AFTER_S = 0.25
FLUSH_EVERY_S = 2.0
SYNC_INTERVAL_S = 1.0
# Not at once: a server that starts has other things to do.
FIRST_PRUNE_S = 60.0
PRUNE_EVERY_S = 3600.0
_FIRST_RETRY_S = 0.1
# As often as the spool wants to be synced, database or not.
_LAST_RETRY_S = SYNC_INTERVAL_S


@dataclass(frozen=True, slots=True)
class Keeping:
    """What is kept, and for how long: a function for bodies, and a retention."""

    redact: Redact | None = None
    retention: Retention | None = None


class SpoolWriter:
    """Reads what the event loop appended and commits it, in order.

    Once an hour, when there is nothing to write, it deletes what has expired.
    """

    def __init__(
        self,
        spool: Spool,
        *,
        keeping: Keeping | None = None,
        clock: Clock | None = None,
    ) -> None:
        self.committed_bytes = 0
        self.refused_total = 0
        self.last_error = ""
        self.tried = threading.Event()
        self.has_replayed = False
        self._spool = spool
        self._clock = clock or SystemClock()
        keeping = keeping or Keeping()
        self._redact = keeping.redact
        retention = keeping.retention
        self._pruner = Pruner(retention) if retention is not None else None
        self._prune_at = self._clock.monotonic() + FIRST_PRUNE_S
        self._waits_since = 0.0
        self._offset = 0
        self._retry_s = _FIRST_RETRY_S
        self._round_at = -FLUSH_EVERY_S
        self._synced_bytes = 0
        self._synced_at = 0.0
        self._wake = threading.Event()
        self._hurry = threading.Event()
        self._stopping = threading.Event()
        self._stop_by = 0.0
        self._progress = threading.Condition()

    @property
    def is_drained(self) -> bool:
        """Whether every line that was kept is in the database."""
        spool = self._spool
        return not spool.backlog and self.committed_bytes >= spool.written_bytes

    def wake(self) -> None:
        """There is a new line. Cheap enough for the event loop."""
        # The line is in the spool: who clears the alarm reads it afterwards.
        if not self._wake.is_set():
            self._wake.set()

    def wait_until_drained(self, timeout_s: float) -> bool:
        """Block until every line is in the database; `False` where time ran out."""
        self._hurry.set()
        self._wake.set()
        with self._progress:
            return self._progress.wait_for(lambda: self.is_drained, timeout_s)

    def stop(self, timeout_s: float) -> None:
        """Let the thread write what there is, within `timeout_s`, and end."""
        self._stop_by = self._clock.monotonic() + timeout_s
        self._stopping.set()
        self._hurry.set()
        self._wake.set()

    def run(self) -> None:
        """Work until `stop`; the thread's whole life."""
        try:
            while not self._stopping.is_set():
                self._wait_for_lines()
                self._attempt()
            self._finish()
        finally:
            connections[DEFAULT_DB_ALIAS].close()
            self._spool.close()

    def _wait_for_lines(self) -> None:
        if self.has_replayed:
            if not self._wake.wait(self._idle_s()):
                return
            due_s = self._round_at + FLUSH_EVERY_S - self._clock.monotonic()
            self._hurry.wait(max(FLUSH_AFTER_S, due_s))
        self._round_at = self._clock.monotonic()
        self._wake.clear()
        self._hurry.clear()

    def _idle_s(self) -> float | None:
        """Return how long there is nothing to do unless lines come; `None`: for ever."""
        if self._synced_bytes < self._spool.written_bytes:
            return SYNC_INTERVAL_S
        if self._pruner is None:
            return None
        return max(0.0, self._prune_at - self._clock.monotonic())

    def _attempt(self) -> bool:
        """Do one round; after a failure wait and leave the alarm on."""
        try:
            self._round()
        except Exception as error:  # noqa: BLE001 -- the thread must outlive all of it
            self.tried.set()
            self._recover_from(error)
            return False
        self.tried.set()
        self._tell_recovery()
        self._retry_s = _FIRST_RETRY_S
        with self._progress:
            self._progress.notify_all()
        return True

    def _tell_recovery(self) -> None:
        """Note in the record itself that it was late, and why."""
        if not self.last_error:
            return
        spool, now = self._spool, self._clock.wall()
        self._spool.append(
            encode_event(
                ServerEvent(
                    kind="record_waited",
                    at=now,
                    node=spool.identity.node,
                    boot_id=spool.identity.boot_id,
                    detail=self.last_error,
                    data={"waited_s": now - self._waits_since},
                )
            )
        )
        self.last_error = ""
        self._wake.set()

    def _round(self) -> None:
        self._sync()
        if not self.has_replayed:
            self._sum_what_never_was()
            replay_dead_runs(self._spool.folder, self._redact)
            self.has_replayed = True
        self._drain_files()
        self._drain_backlog()
        self._prune_if_idle()

    def _sum_what_never_was(self) -> None:
        """Sum the requests of a version that had no sums, once."""
        if is_needed():
            hours = sum(1 for _ in backfill())
            logger.info("Summed the requests of %d hours", hours)

    def _prune_if_idle(self) -> None:
        """Delete what has expired, until lines come; then go on in the next lull."""
        if self._pruner is None or self._clock.monotonic() < self._prune_at:
            return
        while not self._wake.is_set():
            if not self._pruner.step():
                self._prune_at = self._clock.monotonic() + PRUNE_EVERY_S
                return

    def _drain_files(self) -> None:
        while (file := self._spool.oldest()) is not None:
            self._drain(file)
            if not self._spool.has_newer_than(file):
                return
            # Rotated before this look at it, so no line can follow.
            self._drain(file)
            self._discard(file)

    def _drain(self, file: SpoolFile) -> None:
        while (chunk := file.read(self._offset, most_lines=BATCH_LINES)).lines:
            batch = Batch(chunk.lines, file.path.name, chunk.end)
            self.refused_total += commit(batch, self._redact)
            self.committed_bytes += chunk.end - self._offset
            self._offset = chunk.end

    def _discard(self, file: SpoolFile) -> None:
        forget_positions([file])
        self._spool.files.popleft()
        self._offset = 0
        file.delete()

    def _drain_backlog(self) -> None:
        backlog = self._spool.backlog
        while count := min(len(backlog), BATCH_LINES):
            lines = tuple(backlog[index] for index in range(count))
            self.refused_total += commit(Batch(lines), self._redact)
            for _ in lines:
                backlog.popleft()

    def _sync(self) -> None:
        now = self._clock.monotonic()
        written = self._spool.written_bytes
        if written <= self._synced_bytes or now < self._synced_at + SYNC_INTERVAL_S:
            return
        self._synced_bytes, self._synced_at = written, now
        try:
            self._spool.sync()
        except OSError as error:
            logger.warning("The spool may not outlive a power cut: %s", error)

    def _recover_from(self, error: Exception) -> None:
        if not self.last_error:
            self._waits_since = self._clock.wall()
            known = isinstance(error, Error | OSError)
            logger.warning(
                "The record waits: %s", error, exc_info=None if known else error
            )
        self.last_error = f"database: {error}"
        connections[DEFAULT_DB_ALIAS].close()
        self._pause()
        self._wake.set()

    def _pause(self) -> None:
        """Wait before the next attempt, longer each time."""
        if self._stopping.wait(self._retry_s):
            left_s = self._stop_by - self._clock.monotonic()
            time.sleep(max(0.0, min(self._retry_s, left_s)))
        self._retry_s = min(self._retry_s * 2, _LAST_RETRY_S)

    def _finish(self) -> None:
        """Write the rest, and take the run's files away if all of it is written."""
        while not (self._attempt() and self.is_drained):
            if self._clock.monotonic() >= self._stop_by:
                return
        try:
            self._end_run()
        except (Error, OSError) as error:
            logger.warning("The spool stays for the next start: %s", error)

    def _end_run(self) -> None:
        files = list(self._spool.files)
        if not files:
            return
        end_run(self._spool.identity.boot_id, files, reason="shutdown")
        for file in files:
            file.path.unlink(missing_ok=True)
