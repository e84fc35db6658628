"""Lines into rows: one transaction for a batch and the position behind it.

Each write is harmless when repeated (a start never overwrites an end, an end
writes the same row again and is counted once, an event is unique, and what a file
has before its position is not written again), so a crash between commit and deletion
of a file costs time and nothing else.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from django.db import DataError, IntegrityError, transaction

from inference.core.outcomes import Outcome
from metrics.models import RequestBody, RequestLog, ServerEventLog, SpoolPosition
from metrics.recorder.lines import (
    BodyLine,
    EventLine,
    RequestLine,
    SampleLine,
    UnreadableLineError,
    decode_line,
)
from metrics.rollups import add_requests, add_samples, compared, hold_sums

if TYPE_CHECKING:
    from inference.core.events import RequestBodies, RequestRecord, ServerSample
    from metrics.recorder.redaction import Redact

logger = logging.getLogger("metrics.recorder")

# What one line can do to a batch, as against what the database does to all.
_REFUSALS = (DataError, IntegrityError, ValueError, TypeError, OverflowError)


@dataclass(frozen=True, slots=True)
class Batch:
    """Lines, and where reading goes on; without a file they came from memory."""

    lines: tuple[bytes, ...]
    file: str = ""
    end: int = 0


@dataclass(slots=True)
class _Rows:
    """What a batch writes, one row per request: its newest."""

    starts: dict[str, RequestRecord] = field(default_factory=dict)
    ends: dict[str, RequestLog] = field(default_factory=dict)
    events: list[ServerEventLog] = field(default_factory=list)
    samples: list[ServerSample] = field(default_factory=list)
    bodies: list[RequestBody] = field(default_factory=list)

    def add(self, line: bytes, redact: Redact | None) -> None:
        match decode_line(line):
            case RequestLine(record=record) if record.outcome is Outcome.RUNNING:
                self.starts[record.request_id] = record
            case RequestLine(record=record):
                self.starts.pop(record.request_id, None)
                self.ends[record.request_id] = RequestLog.from_record(record)
            case EventLine(event=event):
                self.events.append(ServerEventLog.from_event(event))
            case SampleLine(sample=sample):
                self.samples.append(sample)
            case BodyLine(bodies=bodies):
                self._add_bodies(bodies, redact)

    def _add_bodies(self, bodies: RequestBodies, redact: Redact | None) -> None:
        """Add what is left of bodies once they were redacted; nothing where it failed."""
        left: RequestBodies | None = bodies
        if redact is not None:
            try:
                left = redact(bodies)
            except Exception:
                left = None
                logger.exception(
                    "BODY_REDACTOR failed; %s has no body", bodies.request_id
                )
        if left is not None:
            self.bodies.append(RequestBody.from_bodies(left))

    def runs(self) -> set[str]:
        """Return the boot ids of the requests; most batches have one."""
        starts = {record.boot_id for record in self.starts.values()}
        return starts | {row.boot_id for row in self.ends.values()}

    def write(self) -> None:
        new, mistaken = compared(self.ends)
        starts = map(RequestLog.from_record, self.starts.values())
        RequestLog.objects.record_starts(starts)
        RequestLog.objects.record_ends(self.ends.values())
        add_requests(new, instead_of=mistaken)
        ServerEventLog.objects.record(self.events)
        add_samples(self.samples)
        RequestBody.objects.bulk_create(self.bodies, ignore_conflicts=True)


def commit(batch: Batch, redact: Redact | None = None) -> int:
    """Write a batch and its position; return how many lines were refused.

    `redact` gets what was asked and answered before it is written.

    Raises:
        django.db.Error: the database is not there, locked, full or read-only.
    """
    try:
        _write(batch, batch.lines, redact)
    except _REFUSALS:
        return _write_one_by_one(batch, redact)
    return 0


def _write(batch: Batch, lines: tuple[bytes, ...], redact: Redact | None) -> None:
    rows = _Rows()
    for line in lines:
        rows.add(line, redact)
    with transaction.atomic():
        hold_sums(rows.runs())
        if batch.file and not SpoolPosition.advance(batch.file, batch.end):
            # Committed, and the word of it was lost.
            return
        rows.write()


def _write_one_by_one(batch: Batch, redact: Redact | None) -> int:
    """Write what can be written; log and leave out what cannot."""
    refused = 0
    end = batch.end - sum(len(line) + 1 for line in batch.lines)
    for line in batch.lines:
        end += len(line) + 1
        one = Batch((line,), batch.file, end)
        try:
            _write(one, one.lines, redact)
        except _REFUSALS as error:
            refused += 1
            _log_refusal(line, error)
            _write(one, (), None)
    return refused


def _log_refusal(line: bytes, error: Exception) -> None:
    what = "cannot be read" if isinstance(error, UnreadableLineError) else "was refused"
    logger.error("A spool line %s (%s): %r", what, error, line[:2000])
