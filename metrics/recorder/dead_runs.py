"""Spool files that servers left behind: into the database, then away.

A run is touched only when the locks of all its files are free, so that servers
which share a folder or a database never end each other's requests.
"""

from __future__ import annotations

import logging
import os
import stat
from collections import defaultdict
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.db import transaction

from metrics.models import SpoolPosition
from metrics.models.fitting import moment
from metrics.models.requests import CRASH
from metrics.recorder.commits import Batch, commit
from metrics.recorder.endings import end_rows
from metrics.recorder.lines import RunLine, UnreadableLineError, decode_line
from metrics.recorder.spool_file import SpoolFile
from metrics.rollups import hold_sums

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from metrics.recorder.redaction import Redact

logger = logging.getLogger("metrics.recorder")

BATCH_LINES = 200
FIRST_LINE_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class _Part:
    path: Path
    part: int


def replay_dead_runs(folder: Path, redact: Redact | None = None) -> None:
    """Write what dead runs left in `folder`, end their requests, delete the files.

    Raises:
        django.db.Error: the database would not take it; the files stay.
    """
    for boot_id, parts in _runs_in(folder).items():
        try:
            _replay_unless_alive(boot_id, parts, redact)
        except OSError as error:
            logger.warning("The spool of run %s stays: %s", boot_id, error)


def end_run(boot_id: str, files: Sequence[SpoolFile], *, reason: str) -> int:
    """End what still runs in a run's rows and forget its files' positions.

    The files go after the commit: until then they can be read again.
    """
    ended_at = moment(max(file.modified_at for file in files))
    assert ended_at is not None
    with transaction.atomic():
        hold_sums([boot_id])
        interrupted = end_rows(boot_id, at=ended_at, reason=reason)
        forget_positions(files)
    return interrupted


def forget_positions(files: Sequence[SpoolFile]) -> None:
    """Delete the position rows of files that are about to go."""
    names = [file.path.name for file in files]
    SpoolPosition.objects.filter(file__in=names).delete()


def batches_of(file: SpoolFile) -> Iterator[Batch]:
    """Yield what is not in the database yet, as long as there is more."""
    offset = SpoolPosition.of(file.path.name)
    while (chunk := file.read(offset, most_lines=BATCH_LINES)).lines:
        offset = chunk.end
        yield Batch(chunk.lines, file.path.name, offset)


def _replay_unless_alive(
    boot_id: str, parts: list[_Part], redact: Redact | None
) -> None:
    with ExitStack() as stack:
        files = _claim_all(parts, stack)
        if files:
            _replay(boot_id, files, redact)


def _replay(boot_id: str, files: list[SpoolFile], redact: Redact | None) -> None:
    for file in files:
        for batch in batches_of(file):
            commit(batch, redact)
    interrupted = end_run(boot_id, files, reason=CRASH)
    for file in files:
        file.path.unlink(missing_ok=True)
    logger.warning(
        "Run %s ended without a goodbye; %d requests interrupted", boot_id, interrupted
    )


def _claim_all(parts: list[_Part], stack: ExitStack) -> list[SpoolFile]:
    """Lock every file of a run, in order; none if one of them is held."""
    files = []
    for part in sorted(parts, key=lambda part: part.part):
        file = SpoolFile.claim(part.path)
        if file is None:
            return []
        stack.callback(file.close)
        files.append(file)
    return files


def _runs_in(folder: Path) -> dict[str, list[_Part]]:
    runs: defaultdict[str, list[_Part]] = defaultdict(list)
    for path in sorted(folder.glob("*.jsonl")):
        line = _first_line(path)
        if line is not None:
            runs[line.boot_id].append(_Part(path, line.part))
    return runs


def _first_line(path: Path) -> RunLine | None:
    try:
        with open(path, "rb", opener=_open_regular) as file:
            line = decode_line(file.readline(FIRST_LINE_BYTES))
    except (OSError, UnreadableLineError) as error:
        logger.warning("Not read as a spool file: %s (%s)", path, error)
        return None
    return line if isinstance(line, RunLine) else None


def _open_regular(path: str, flags: int) -> int:
    """Open a file without waiting for the other end of a pipe, which is none."""
    descriptor = os.open(path, flags | os.O_NONBLOCK)
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        return descriptor
    os.close(descriptor)
    raise UnreadableLineError("it is no regular file")
