"""Death of a server: what was recorded is there, once, and what ran is ended."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from metrics.models import RequestLog, ServerEventLog, SpoolPosition
from metrics.recorder.lines import encode_event, encode_record
from metrics.totals import Totals
from tests.metrics.cast import (
    NOON,
    ended,
    event,
    leave_spool,
    new_recorder,
    recording,
    spool_files,
    started,
)
from tests.metrics.test_recorder_faults import SCRIPTS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def server(data_dir: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """A process that records without end, killed with -9 at the end of the block."""
    process = subprocess.Popen(
        [sys.executable, SCRIPTS / "record_until_killed.py", *arguments],
        # The file of `sqlite_file`, also where other tests ask PostgreSQL.
        env=os.environ | {"MLX_DATA_DIR": str(data_dir), "DATABASE_URL": ""},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def heard(process: subprocess.Popen[str], until: int | None) -> list[tuple[str, str]]:
    """Read what the server says: `until` lines, or to its end."""
    assert process.stdout is not None
    said = []
    for line in process.stdout:
        word, _, name = line.strip().partition(" ")
        said.append((word, name))
        if len(said) == until:
            break
    return said


@pytest.mark.parametrize("arguments", [(), ("--flush",)], ids=["loop", "with flushes"])
def test_kill_9_loses_nothing_that_was_recorded(
    tmp_path: Path, sqlite_file: Path, arguments: tuple[str, ...]
) -> None:
    with server(tmp_path, "killed", *arguments) as process:
        said = heard(process, until=1500)
        process.kill()
        said += heard(process, until=None)
    begun = {name for word, name in said if word == "start"}
    over = {name for word, name in said if word == "end"}

    with recording(tmp_path, "next"):
        rows = dict(RequestLog.objects.values_list("request_id", "outcome"))
        assert begun <= rows.keys()
        # One more may stand in the spool whose recording was not said any more.
        assert len(rows) - len(begun) in (0, 1)
        assert all(rows[name] == "finished" for name in over)
        unended = RequestLog.objects.exclude(outcome="finished")
        assert len(unended) >= len(begun - over) - 1
        for row in unended:
            assert (row.outcome, row.reason) == ("interrupted", "crash")
            assert row.finished_at is not None
        assert ServerEventLog.objects.count() == 1
    assert spool_files(tmp_path) == []
    assert not SpoolPosition.objects.exists()


def test_two_servers_never_touch_each_others_rows(
    tmp_path: Path, sqlite_file: Path
) -> None:
    with server(tmp_path, "alive") as process:
        said = heard(process, until=30)
        with recording(tmp_path, "other") as recorder:
            mine = started("other")
            recorder.request_started(mine)
            assert recorder.flush()
            outcomes = set(
                RequestLog.objects.filter(boot_id="alive").values_list(
                    "outcome", flat=True
                )
            )
            assert "interrupted" not in outcomes
            assert len(spool_files(tmp_path)) >= 2
            process.kill()
            process.wait()
            # A third server ends the dead one's requests, not the living one's.
            with recording(tmp_path, "third"):
                dead = RequestLog.objects.filter(boot_id="alive")
                assert not dead.running().exists()
                assert dead.filter(outcome="interrupted", reason="crash").exists()
                assert RequestLog.objects.get(boot_id="other").is_running
            assert said


def test_two_recorders_of_one_process_keep_apart(
    tmp_path: Path, sqlite_file: Path
) -> None:
    with recording(tmp_path, "a") as one, recording(tmp_path, "b") as other:
        one.request_started(started("a"))
        other.request_started(started("b"))
        assert one.flush()
        assert other.flush()
        assert RequestLog.objects.running().count() == 2
        assert other.stop()
        assert RequestLog.objects.running().get().boot_id == "a"


@pytest.mark.usefixtures("database")
def test_a_torn_last_line_is_left_out(tmp_path: Path) -> None:
    whole, torn = started("dead"), started("dead")
    lines = [encode_record(whole), encode_record(torn)[:-40]]
    leave_spool(tmp_path, "dead", lines)
    with recording(tmp_path, "next") as recorder:
        assert recorder.refused_total == 0
        row = RequestLog.objects.get()
        assert (row.request_id, row.outcome) == (whole.request_id, "interrupted")
    assert spool_files(tmp_path) == []


@pytest.mark.usefixtures("database")
def test_a_damaged_line_takes_no_other_with_it(tmp_path: Path) -> None:
    lines = [
        encode_record(started("dead")),
        b"{nonsense\n",
        encode_record(started("dead")),
    ]
    leave_spool(tmp_path, "dead", lines)
    with recording(tmp_path, "next"):
        assert RequestLog.objects.count() == 2


@pytest.mark.usefixtures("database")
def test_a_file_of_someone_else_stays_where_it_is(tmp_path: Path) -> None:
    (tmp_path / "spool").mkdir()
    foreign = tmp_path / "spool" / "notes.jsonl"
    foreign.write_text('{"my": "notes"}\n')
    with recording(tmp_path) as recorder:
        recorder.request_started(started())
        assert recorder.flush()
    assert foreign.exists()


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize(
    "forgotten", [False, True], ids=["position kept", "position gone"]
)
def test_a_crash_between_commit_and_deletion_repeats_nothing(
    tmp_path: Path, forgotten: bool
) -> None:
    record = started("dead")
    unended = started("dead")
    lines = [
        encode_record(record),
        encode_record(ended(record)),
        encode_record(unended),
        encode_event(event(boot_id="dead")),
    ]
    path = leave_spool(tmp_path, "dead", lines)
    left = path.read_bytes()
    with recording(tmp_path, "first"):
        pass
    before = list(RequestLog.objects.order_by("pk").values())
    path.write_bytes(left)
    if not forgotten:
        SpoolPosition.advance(path.name, len(left))
    with recording(tmp_path, "second"):
        pass
    assert list(RequestLog.objects.order_by("pk").values()) == before
    assert ServerEventLog.objects.count() == 1
    assert not SpoolPosition.objects.exists()
    assert spool_files(tmp_path) == []


@pytest.mark.usefixtures("database")
def test_it_goes_on_at_the_position_that_was_committed(tmp_path: Path) -> None:
    first, second = encode_record(started("dead")), encode_record(started("dead"))
    path = leave_spool(tmp_path, "dead", [first, second])
    SpoolPosition.advance(path.name, path.stat().st_size - len(second))
    with recording(tmp_path, "next"):
        assert RequestLog.objects.count() == 1


def test_a_run_of_several_files_is_ended_as_one(
    tmp_path: Path, sqlite_file: Path
) -> None:
    recorder = new_recorder(tmp_path, "dead", rotate_bytes=2000)
    for _ in range(30):
        recorder.request_started(started("dead"))
    assert len(spool_files(tmp_path)) > 5
    with recording(tmp_path, "living"):
        # Every file of the first is still locked.
        assert RequestLog.objects.count() == 0
    recorder._spool.close()  # as the end of its process would
    with recording(tmp_path, "next"):
        assert RequestLog.objects.filter(outcome="interrupted").count() == 30
    assert spool_files(tmp_path) == []


@pytest.mark.usefixtures("database")
def test_a_pipe_among_the_spool_files_holds_nobody_up(tmp_path: Path) -> None:
    leave_spool(tmp_path, "dead", [encode_record(started())])
    os.mkfifo(tmp_path / "spool" / "a-pipe.jsonl")

    with recording(tmp_path):
        pass

    assert RequestLog.objects.get().outcome == "interrupted"
    assert [path.name for path in spool_files(tmp_path)] == ["a-pipe.jsonl"]


@pytest.mark.usefixtures("database")
def test_the_sums_of_a_model_count_what_a_crash_interrupted(tmp_path: Path) -> None:
    begun = event(
        kind="server_start", boot_id="dead", data={"models": ["tiny", "quick"]}
    )
    loaded = event(kind="model_load", boot_id="dead", model="big", at=NOON + 1)
    asked = ("", "quick", "big", "big", "a stranger's words")
    records = [started("dead", model_requested=name) for name in asked]
    leave_spool(
        tmp_path,
        "dead",
        [*map(encode_event, (begun, loaded)), *map(encode_record, records)],
    )

    with recording(tmp_path):
        pass

    totals = Totals()
    assert totals.load()
    assert totals.totals().outcomes["interrupted"] == 5
    assert {
        model: one.outcomes["interrupted"]
        for model, one in totals.totals_by_model().items()
    } == {"tiny": 1, "quick": 1, "big": 2}
