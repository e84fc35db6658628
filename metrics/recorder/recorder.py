"""The recorder as the rest of the server sees it: an observer with a start and an end."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from metrics.recorder.lines import (
    encode_bodies,
    encode_event,
    encode_record,
    encode_sample,
)
from metrics.recorder.spool import BACKLOG_LINES, ROTATE_BYTES, Spool
from metrics.recorder.writer import Keeping, SpoolWriter

if TYPE_CHECKING:
    from pathlib import Path

    from inference.core.events import (
        RequestBodies,
        RequestRecord,
        ServerEvent,
        ServerSample,
    )
    from inference.core.trace import ServerIdentity


class Recorder:
    """Keeps every record and event; implements `RequestObserver`.

    The observer methods belong to the event loop: one line encoded, one write to
    a file, never an error. `start`, `flush` and `stop` block and belong elsewhere.
    """

    def __init__(
        self,
        *,
        data_dir: Path,
        identity: ServerIdentity,
        rotate_bytes: int = ROTATE_BYTES,
        backlog_lines: int = BACKLOG_LINES,
        keeping: Keeping | None = None,
    ) -> None:
        self._spool = Spool(
            folder=data_dir / "spool",
            identity=identity,
            rotate_bytes=rotate_bytes,
            backlog_lines=backlog_lines,
        )
        self._writer = SpoolWriter(self._spool, keeping=keeping)
        self._thread = threading.Thread(
            target=self._writer.run, name="recorder", daemon=True
        )

    @property
    def spool_lag_bytes(self) -> int:
        """Bytes in the spool that are not in the database yet."""
        return max(0, self._spool.written_bytes - self._writer.committed_bytes)

    @property
    def backlog_lines(self) -> int:
        """Lines that wait in memory because the spool cannot be written."""
        return len(self._spool.backlog)

    @property
    def dropped_total(self) -> int:
        """Lines lost: no room in the spool, and none in memory."""
        return self._spool.dropped_total

    @property
    def refused_total(self) -> int:
        """Lines that could not become rows; the log has their text."""
        return self._writer.refused_total

    @property
    def last_error(self) -> str:
        """What stands in the way at present; empty when all is well."""
        return self._writer.last_error or self._spool.last_error

    def start(self, timeout_s: float = 10.0) -> bool:
        """Begin; return once what dead runs left is in the database.

        `False` means that the database would not take it at once, or not within
        `timeout_s`: the thread goes on trying.
        """
        self._spool.open()
        self._thread.start()
        return self._writer.tried.wait(timeout_s) and self._writer.has_replayed

    def request_started(self, record: RequestRecord) -> None:
        """Keep the record of a request that begins."""
        self._keep(encode_record(record))

    def request_finished(self, record: RequestRecord) -> None:
        """Keep the last record of a request."""
        self._keep(encode_record(record))

    def server_event(self, event: ServerEvent) -> None:
        """Keep an event."""
        self._keep(encode_event(event))

    def server_sample(self, sample: ServerSample) -> None:
        """Keep a minute."""
        self._keep(encode_sample(sample))

    def request_bodies(self, bodies: RequestBodies) -> None:
        """Keep what was asked and answered."""
        self._keep(encode_bodies(bodies))

    def flush(self, timeout_s: float = 10.0) -> bool:
        """Block until everything kept so far is committed; for tests and exports."""
        return self._writer.wait_until_drained(timeout_s)

    def stop(self, timeout_s: float = 10.0) -> bool:
        """Commit everything and end; `False` leaves the spool to the next start."""
        if self._thread.ident is None:
            return True
        self._writer.stop(timeout_s)
        self._thread.join(timeout_s)
        return self._writer.is_drained and not self._thread.is_alive()

    def _keep(self, line: bytes) -> None:
        self._spool.append(line)
        self._writer.wake()
