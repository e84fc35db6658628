"""What a version before wrote is read, and it may go on writing."""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from django.core.management import call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from metrics.models import RequestLog
from metrics.recorder.lines import encode_record
from metrics.totals import Totals
from tests.metrics.cast import ended, leave_spool, recording, started

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from inference.core.events import RequestRecord

pytestmark = pytest.mark.usefixtures("database")

# What records have had since the first version.
ADDED = (
    *("reasoning_tokens", "choices", "tool_calls", "structured", "warnings"),
    *("images", "images_cached", "image_tokens", "image_fetch_s", "image_encode_s"),
    *("itl_p99_s", "batch_mean", "batch_max", "memory_bytes", "is_estimated"),
    *("refusal", "defaults", "user", "session_id", "tags", "prefix_diverged_at"),
)


def older_line(record: RequestRecord) -> bytes:
    """Return the line as the first version wrote it."""
    line = json.loads(encode_record(record))
    for name in ADDED:
        del line["record"][name]
    return json.dumps(line).encode() + b"\n"


def added_values(row: RequestLog) -> list[Any]:
    return [getattr(row, name) for name in ADDED]


NOTHING_ADDED: list[Any] = [
    *(None, 1, 0, "", [], 0, 0, None, None, None),
    *(None, None, None, None, False, {}, {}, "", "", {}, None),
]


@contextmanager
def first_version() -> Iterator[Any]:
    """Take the tables back to the first version and yield its model."""
    call_command("migrate", "metrics", "0001", verbosity=0)
    try:
        before = MigrationExecutor(connection).loader.project_state(
            [("metrics", "0001_initial")]
        )
        yield before.apps.get_model("metrics", "RequestLog")
    finally:
        call_command("migrate", "metrics", verbosity=0)


def values_of(record: RequestRecord) -> dict[str, Any]:
    """Return the columns that the first version wrote."""
    row = RequestLog.from_record(record)
    return {
        field.name: getattr(row, field.name)
        for field in RequestLog._meta.fields
        if field.name not in ("id", *ADDED)
    }


def test_a_spool_of_an_older_version_is_replayed(tmp_path: Path) -> None:
    over, unended = started("dead"), started("dead")
    lines = [older_line(record) for record in (over, ended(over), unended)]
    leave_spool(tmp_path, "dead", lines)
    with recording(tmp_path, "next") as recorder:
        assert recorder.refused_total == 0
        rows = {row.request_id: row for row in RequestLog.objects.all()}
    assert rows[over.request_id].completion_tokens == 150
    assert rows[unended.request_id].outcome == "interrupted"
    for row in rows.values():
        assert added_values(row) == NOTHING_ADDED


def test_rows_of_an_older_version_are_kept_and_counted(tmp_path: Path) -> None:
    with first_version() as before:
        before.objects.create(**values_of(ended(started())))
    row = RequestLog.objects.get()
    assert added_values(row) == NOTHING_ADDED
    assert RequestLog.objects.filter(warnings=[]).exists()
    # A version without sums: the first start of this one makes them.
    with recording(tmp_path, "next"):
        totals = Totals()
        assert totals.load()
    assert totals.totals().total_tokens == 150


def test_a_server_of_an_older_version_may_go_on_writing() -> None:
    """Two servers share a database, and one of them has been updated."""
    with first_version() as before:
        pass
    record = ended(started())
    before.objects.create(**values_of(record))
    row = RequestLog.objects.get()
    assert row.request_id == record.request_id
    assert added_values(row) == NOTHING_ADDED
    assert RequestLog.objects.filter(warnings=[], structured="").exists()
