"""Servers that are gone with their data folders: others end their rows, once."""

from __future__ import annotations

import shutil
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from io import StringIO
from typing import TYPE_CHECKING

import pytest
from django.core.management import call_command
from django.db import connections
from django.utils import timezone

from inference.core.trace import ServerIdentity
from metrics.models import (
    RequestLog,
    RollupLevel,
    ServerEventLog,
    ServerRun,
    SpoolPosition,
)
from metrics.recorder import RunHeartbeat, lost_runs
from metrics.recorder.lines import encode_record
from metrics.recorder.lost_runs import LOOKS, Watch, end_lost_run, last_signs
from metrics.totals import Totals
from tests.metrics.cast import (
    ended,
    event,
    eventually,
    leave_spool,
    new_recorder,
    recording,
    started,
)
from tests.metrics.test_rollups import assert_sums_equal_rows, total

if TYPE_CHECKING:
    from pathlib import Path

    from inference.core.events import RequestRecord
    from metrics.recorder.lost_runs import Sign

pytestmark = pytest.mark.usefixtures("database")

HOUR_S = 3600.0


def beating(boot_id: str, every_s: float = 0.02) -> RunHeartbeat:
    """Return a heartbeat that has not started."""
    identity = ServerIdentity(node=f"node of {boot_id}", boot_id=boot_id)
    return RunHeartbeat(identity=identity, version="1", every_s=every_s)


def beat_once(boot_id: str) -> None:
    """Leave the heartbeat of a run as its death would."""
    heartbeat = beating(boot_id)
    heartbeat.start()
    assert eventually(ServerRun.objects.filter(boot_id=boot_id).exists)
    heartbeat.stop()


def lose(data_dir: Path, boot_id: str, count: int = 3) -> list[RequestRecord]:
    """Leave the rows of a run that died with its folder: some run, one is over."""
    records = [started(boot_id, model_requested="tiny") for _ in range(count)]
    recorder = new_recorder(data_dir / boot_id, boot_id)
    recorder.start()
    recorder.server_event(
        event(kind="server_start", boot_id=boot_id, data={"models": ["tiny"]})
    )
    for record in records:
        recorder.request_started(record)
    recorder.request_finished(ended(started(boot_id)))
    assert recorder.flush()
    # As kill -9 would: nobody ends the run, and the thread ends with the process.
    recorder._spool.files.clear()
    recorder.stop()
    shutil.rmtree(data_dir / boot_id)
    return records


def losses() -> list[ServerEventLog]:
    return list(ServerEventLog.objects.filter(kind="server_lost"))


def of_run(boot_id: str) -> Sign:
    return next(sign for sign in last_signs() if sign.boot_id == boot_id)


@pytest.fixture
def quick_beats(monkeypatch: pytest.MonkeyPatch) -> None:
    """No half minute of waiting for a sign of life."""
    monkeypatch.setattr(lost_runs, "BEAT_EVERY_S", 0.01)


def test_two_servers_that_notice_end_a_lost_run_once(tmp_path: Path) -> None:
    lose(tmp_path, "lost")
    beat_once("lost")
    others = [beating("one"), beating("other")]
    for other in others:
        other.start()
    assert eventually(lambda: not RequestLog.objects.running().exists())
    for other in others:
        other.stop()

    rows = RequestLog.objects.filter(outcome="interrupted")
    assert set(rows.values_list("reason", "model")) == {("crash", "tiny")}
    assert all(row.finished_at and row.finished_at >= row.started_at for row in rows)
    # On a busy machine these two, so quick, may take each other for lost.
    (told,) = (loss for loss in losses() if loss.boot_id == "lost")
    assert (told.node, told.boot_id) == ("node of lost", "lost")
    assert told.data["interrupted"] == 3
    assert told.data["ended_by"] in {"node of one", "node of other"}
    assert told.is_loss
    assert_sums_equal_rows()
    totals = Totals()
    assert totals.load()
    assert totals.totals().outcomes["interrupted"] == 3
    assert totals.totals().outcomes["finished"] == 1
    assert not ServerRun.objects.filter(boot_id="lost").exists()


def test_of_many_that_end_a_run_at_once_one_does(tmp_path: Path) -> None:
    runs = [f"lost {number}" for number in range(5)]
    for boot_id in runs:
        lose(tmp_path, boot_id)
    for boot_id in runs[1:]:
        beat_once(boot_id)
    # One of a version that had no heartbeat.
    old = timezone.now() - lost_runs.SILENT_GRACE * 2
    RequestLog.objects.running().filter(boot_id=runs[0]).update(started_at=old)
    together = threading.Barrier(4)

    def end_all(number: int) -> list[int | None]:
        counts = []
        for last in lasts:
            together.wait()
            counts.append(end_lost_run(last, by=f"node {number}"))
        connections.close_all()
        return counts

    lasts = [of_run(boot_id) for boot_id in runs]
    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(end_all, range(4)))

    for counts in zip(*found, strict=True):
        assert sorted(counts, key=str) == [3, None, None, None]
    assert len(losses()) == len(runs)
    assert total(RollupLevel.DAY) == 4 * len(runs)
    assert_sums_equal_rows()


def test_a_run_that_beats_is_never_taken_for_lost(tmp_path: Path) -> None:
    lose(tmp_path, "alive")
    watch = Watch("mine")
    for _ in range(3 * LOOKS):
        ServerRun.objects.update_or_create(
            boot_id="alive",
            defaults={"started_at": timezone.now(), "last_seen": timezone.now()},
        )
        assert watch.look() == []
        assert watch.look() == []


def test_a_run_is_lost_after_so_many_looks_without_another_beat(
    tmp_path: Path,
) -> None:
    beat_once("lost")
    watch = Watch("mine")
    assert [bool(watch.look()) for _ in range(LOOKS + 1)] == [*[False] * LOOKS, True]
    assert Watch("lost").look() == []


def test_a_sign_of_life_in_the_last_moment_counts(tmp_path: Path) -> None:
    lose(tmp_path, "alive")
    beat_once("alive")
    last = of_run("alive")
    ServerRun.objects.filter(boot_id="alive").update(last_seen=timezone.now())

    assert end_lost_run(last, by="mine") is None
    assert RequestLog.objects.running().count() == 3
    assert losses() == []


def test_the_real_ends_of_one_that_comes_back_are_the_ones_that_count(
    tmp_path: Path,
) -> None:
    heartbeat = beating("asleep", every_s=HOUR_S)
    heartbeat.start()
    with recording(tmp_path, "asleep") as recorder:
        records = [started("asleep") for _ in range(4)]
        for record in records:
            recorder.request_started(record)
        assert recorder.flush()
        assert eventually(ServerRun.objects.exists)
        assert end_lost_run(of_run("asleep"), by="mine") == 4
        assert_sums_equal_rows()

        for record in records[:2]:
            recorder.request_finished(ended(record))
        recorder.request_finished(ended(records[2], outcome="cancelled", reason="left"))
        assert recorder.flush()
        # What a replay would write again.
        recorder.request_finished(ended(records[0]))
        assert recorder.flush()

        outcomes = RequestLog.objects.values_list("outcome", flat=True)
        assert sorted(outcomes) == ["cancelled", "finished", "finished", "interrupted"]
        assert [total(level) for level in RollupLevel] == [4, 4, 4]
        assert_sums_equal_rows()
    heartbeat.stop()
    assert len(losses()) == 1


def test_one_that_comes_back_beats_again_and_can_be_lost_again() -> None:
    heartbeat = beating("asleep")
    heartbeat.start()
    assert eventually(ServerRun.objects.exists)
    ServerRun.objects.all().delete()
    assert eventually(ServerRun.objects.exists)
    heartbeat.stop()
    for _ in range(2):
        assert end_lost_run(of_run("asleep"), by="mine") == 0
        beat_once("asleep")
    assert len(losses()) == 2


def test_a_spool_that_turns_up_later_has_the_real_ends(tmp_path: Path) -> None:
    first, second, third = lose(tmp_path, "lost")
    beat_once("lost")
    assert end_lost_run(of_run("lost"), by="mine") == 3
    lines = [encode_record(ended(first)), encode_record(second), encode_record(third)]
    leave_spool(tmp_path, "lost", lines)
    SpoolPosition.objects.all().delete()

    with recording(tmp_path, "next"):
        pass

    assert RequestLog.objects.get(request_id=first.request_id).outcome == "finished"
    assert RequestLog.objects.filter(outcome="interrupted").count() == 2
    assert_sums_equal_rows()


def test_a_run_that_ends_well_leaves_no_heartbeat(tmp_path: Path) -> None:
    heartbeat = beating("mine")
    heartbeat.start()
    with recording(tmp_path, "mine"):
        assert eventually(ServerRun.objects.exists)
        heartbeat.stop()
    assert not ServerRun.objects.exists()


@pytest.mark.usefixtures("quick_beats")
def test_the_command_ends_what_is_lost_and_says_how_many(tmp_path: Path) -> None:
    lose(tmp_path, "lost")
    lose(tmp_path, "old", count=2)
    lose(tmp_path, "young", count=1)
    beat_once("lost")
    now = timezone.now()
    for boot_id, ago in (("old", 2 * lost_runs.SILENT_GRACE), ("young", timedelta())):
        rows = RequestLog.objects.running().filter(boot_id=boot_id)
        rows.update(started_at=now - ago)

    out = StringIO()
    call_command("end_lost", stdout=out, stderr=StringIO())
    assert out.getvalue() == "5 requests interrupted; servers lost: 2\n"
    assert RequestLog.objects.running().get().boot_id == "young"
    out = StringIO()
    call_command("end_lost", stdout=out, stderr=StringIO())
    assert out.getvalue() == "No server is lost.\n"


def test_the_command_leaves_a_server_that_beats_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lost_runs, "BEAT_EVERY_S", 0.5)
    heartbeat = beating("alive")
    heartbeat.start()
    lose(tmp_path, "alive")
    out = StringIO()
    call_command("end_lost", stdout=out, stderr=StringIO())
    heartbeat.stop()
    assert out.getvalue() == "No server is lost.\n"
    assert RequestLog.objects.running().count() == 3
