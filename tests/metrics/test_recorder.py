"""Requests become rows: on both databases, once each, and nothing is refused."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from inference.core.events import RequestRecord
from inference.core.outcomes import Outcome
from metrics.models import RequestLog, ServerEventLog, SpoolPosition
from tests.metrics.cast import (
    ended,
    event,
    new_recorder,
    recording,
    spool_files,
    started,
)

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.usefixtures("database")


def test_it_shows_a_request_while_it_runs_and_its_end_later(tmp_path: Path) -> None:
    record = started()
    with recording(tmp_path) as recorder:
        recorder.request_started(record)
        assert recorder.flush()
        assert RequestLog.objects.get().is_running
        recorder.request_finished(ended(record))
        assert recorder.flush()
        row = RequestLog.objects.get()
        assert (row.outcome, row.completion_tokens, row.tps) == ("finished", 150, 100.0)
        assert row.started_at.timestamp() == record.started_at
        assert recorder.spool_lag_bytes == 0


def test_it_keeps_every_field_of_the_record(tmp_path: Path) -> None:
    record = ended(
        started(params={"stop": ["a"], "n": 1}, client_host="::1", key_name="ci"),
        load_s=7.5,
        itl_mean_s=0.01,
        decode_tps=99.5,
        error_param="stop",
        reasoning_tokens=40,
        choices=2,
        tool_calls=3,
        structured="json_schema",
        warnings=("one thing", "another"),
    )
    with recording(tmp_path) as recorder:
        recorder.request_finished(record)
        assert recorder.flush()
    row = RequestLog.objects.get()
    for name, value in msgspec.structs.asdict(record).items():
        if name not in {"started_at", "finished_at"}:
            kept = list(value) if isinstance(value, tuple) else value
            assert getattr(row, name) == kept, name
    assert {field.name for field in RequestLog._meta.fields} == {
        "id",
        *RequestRecord.__struct_fields__,
    }


def test_it_writes_start_and_end_of_one_batch_as_one_row(tmp_path: Path) -> None:
    record = started()
    recorder = new_recorder(tmp_path)
    recorder.request_started(record)
    recorder.request_finished(ended(record))
    recorder.start()
    assert recorder.flush()
    assert RequestLog.objects.get().outcome == Outcome.FINISHED
    assert recorder.stop()


def test_a_start_that_comes_late_does_not_undo_an_end(tmp_path: Path) -> None:
    record = started()
    with recording(tmp_path) as recorder:
        recorder.request_finished(ended(record))
        assert recorder.flush()
        recorder.request_started(record)
        assert recorder.flush()
    assert RequestLog.objects.get().outcome == Outcome.FINISHED


def test_it_records_server_events_once(tmp_path: Path) -> None:
    with recording(tmp_path) as recorder:
        recorder.server_event(event(detail="loaded in 7 s", data={"bytes": 5}))
        recorder.server_event(event(detail="loaded in 7 s", data={"bytes": 5}))
        recorder.server_event(event(kind="worker_died"))
        assert recorder.flush()
    assert ServerEventLog.objects.count() == 2
    assert ServerEventLog.objects.get(kind="model_load").data == {"bytes": 5}


def test_it_leaves_nothing_behind_after_a_clean_stop(tmp_path: Path) -> None:
    recorder = new_recorder(tmp_path)
    assert recorder.start()
    recorder.request_finished(ended(started()))
    assert recorder.stop()
    assert RequestLog.objects.count() == 1
    assert spool_files(tmp_path) == []
    assert not SpoolPosition.objects.exists()


def test_a_clean_stop_ends_what_nobody_ended(tmp_path: Path) -> None:
    recorder = new_recorder(tmp_path)
    recorder.start()
    recorder.request_started(started())
    assert recorder.stop()
    row = RequestLog.objects.get()
    assert (row.outcome, row.reason) == ("interrupted", "shutdown")


def test_it_rotates_and_deletes_what_is_committed(tmp_path: Path) -> None:
    with recording(tmp_path, rotate_bytes=4000) as recorder:
        for _ in range(60):
            recorder.request_finished(ended(started()))
        assert recorder.flush()
        assert RequestLog.objects.count() == 60
        assert len(spool_files(tmp_path)) == 1
        assert SpoolPosition.objects.count() == 1
    assert spool_files(tmp_path) == []


@pytest.mark.parametrize(
    "changes",
    [
        {"user_agent": "x" * 100_000},
        {"error": "a\0b", "user_agent": "\0"},
        {"params": {"a\0": ["b\0", {"c": "\0"}]}},
        {"error": "half a character: \ud83d"},
        {"params": {"text": "\ud83d"}},
        {"warnings": ("a\0b", "half a character: \ud83d")},
        {"params": {"seed": 10**40}},
        {"params": {"object": Decimal("1.5")}},
        {"tps": float("nan"), "decode_s": float("inf")},
        {"client_request_id": "'; DROP TABLE metrics_requestlog; --"},
    ],
    ids=str,
)
def test_it_stores_whatever_a_client_sends(
    tmp_path: Path, changes: dict[str, Any]
) -> None:
    record = ended(started(), **changes)
    with recording(tmp_path) as recorder:
        recorder.request_finished(record)
        assert recorder.flush()
        assert recorder.refused_total == 0
    assert RequestLog.objects.get().request_id == record.request_id


def test_a_row_that_the_database_refuses_takes_no_other_with_it(tmp_path: Path) -> None:
    recorder = new_recorder(tmp_path)
    good = [ended(started()) for _ in range(5)]
    bad = ended(started(), completion_tokens=-1)
    for record in (*good[:3], bad, *good[3:]):
        recorder.request_finished(record)
    recorder.start()
    assert recorder.flush()
    assert recorder.refused_total == 1
    assert RequestLog.objects.count() == 5
    assert recorder.stop()
