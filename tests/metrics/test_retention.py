"""What is deleted in time, what is summed anew, and what stays."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import TYPE_CHECKING

import pytest
from django.core.management import call_command
from django.utils import timezone

from inference.core.events import RequestBodies
from inference.core.outcomes import Outcome
from metrics.models import Gauge, RequestBody, RequestLog, Rollup, RollupLevel
from metrics.recorder import Keeping, writer
from metrics.recorder.lines import encode_record
from metrics.retention import PRUNE_BATCH, Pruner, Retention
from metrics.rollups.backfill import backfill
from metrics.totals import Totals
from tests.metrics.cast import ended, eventually, leave_spool, recording, started
from tests.metrics.test_rollups import assert_sums_equal_rows, mixed, total
from tests.metrics.test_sampler import sample

if TYPE_CHECKING:
    from pathlib import Path

    from inference.core.events import RequestRecord

pytestmark = pytest.mark.usefixtures("database")

DAY_S = 86_400.0


def aged(days: float, count: int = 1, boot_id: str = "boot") -> list[RequestRecord]:
    """Return ended requests that began so many days ago."""
    at = timezone.now().timestamp() - days * DAY_S
    return [ended(started(boot_id, started_at=at)) for _ in range(count)]


def keep(tmp_path: Path, records: list[RequestRecord], boot_id: str = "boot") -> None:
    with recording(tmp_path, boot_id) as recorder:
        for record in records:
            recorder.request_finished(record)


def prune(**days: int) -> None:
    for _ in Pruner(Retention(**days)).batches():
        pass


def test_old_rows_go_and_their_sums_stay(tmp_path: Path) -> None:
    keep(tmp_path, aged(40, 3) + aged(1, 2))
    prune()
    assert RequestLog.objects.count() == 2
    assert [total(level) for level in RollupLevel] == [5, 5, 5]


def test_totals_outlive_the_rows(tmp_path: Path) -> None:
    keep(tmp_path, aged(40, 3) + aged(1, 2))
    prune()
    totals = Totals()
    assert totals.load()
    assert totals.totals().outcomes["finished"] == 5
    assert totals.totals().total_tokens == 5 * 150


def test_zero_days_are_for_ever(tmp_path: Path) -> None:
    keep(tmp_path, aged(4000, 3))
    prune(rows_days=0, minutes_days=0)
    assert RequestLog.objects.count() == 3
    assert total(RollupLevel.MINUTE) == 3


def test_each_level_has_its_own_retention(tmp_path: Path) -> None:
    keep(tmp_path, aged(20, 3))
    with recording(tmp_path, "other") as recorder:
        at = timezone.now().timestamp() - 20 * DAY_S
        recorder.server_sample(sample(at, 1, boot_id="other"))
        recorder.request_bodies(RequestBodies(request_id="r", started_at=at))
    prune(rows_days=30, minutes_days=10, hours_days=15, days_days=30, bodies_days=7)
    assert [total(level) for level in RollupLevel] == [0, 0, 3]
    assert set(Gauge.objects.values_list("level", flat=True)) == {"day"}
    assert not RequestBody.objects.exists()


def test_what_still_runs_is_never_deleted(tmp_path: Path) -> None:
    at = timezone.now().timestamp() - 400 * DAY_S
    with recording(tmp_path) as recorder:
        recorder.request_started(started(started_at=at))
        assert recorder.flush()
        prune()
        assert RequestLog.objects.running().count() == 1


def test_many_rows_go_in_batches(tmp_path: Path) -> None:
    RequestLog.objects.bulk_create(
        map(RequestLog.from_record, aged(40, 2 * PRUNE_BATCH + 5))
    )
    batches = list(Pruner(Retention()).batches())
    assert [count for name, count in batches if name == "requests"] == [
        *(PRUNE_BATCH, PRUNE_BATCH),
        5,
    ]


def test_a_running_server_prunes_while_it_is_idle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep(tmp_path, aged(40, 3) + aged(1, 2))
    monkeypatch.setattr(writer, "FIRST_PRUNE_S", 0.0)
    keeping = Keeping(retention=Retention())
    with recording(tmp_path, "next", keeping=keeping):
        assert eventually(lambda: RequestLog.objects.count() == 2)


def test_the_command_prunes_and_says_what_went(tmp_path: Path) -> None:
    keep(tmp_path, aged(40, 3))
    out = StringIO()
    call_command("prune_record", stdout=out, stderr=StringIO())
    assert "3 requests" in out.getvalue()
    out = StringIO()
    call_command("prune_record", stdout=out, stderr=StringIO())
    assert out.getvalue() == "Nothing has expired.\n"


def test_sums_that_are_lost_are_made_anew(tmp_path: Path) -> None:
    keep(tmp_path, mixed(300))
    before = {
        row.at: row.requests for row in Rollup.objects.filter(level=RollupLevel.HOUR)
    }
    Rollup.objects.filter(level=RollupLevel.DAY).delete()
    Rollup.objects.filter(level=RollupLevel.HOUR).update(requests=0, ttft=[])
    out = StringIO()
    call_command("backfill_rollups", stdout=out, stderr=StringIO())
    assert "300 requests in" in out.getvalue()
    assert before
    assert_sums_equal_rows()


def test_a_backfill_leaves_hours_whose_rows_are_gone(tmp_path: Path) -> None:
    keep(tmp_path, mixed(300))
    first = RequestLog.objects.order_by("started_at").first()
    assert first is not None
    first.delete()
    out = StringIO()
    call_command("backfill_rollups", stdout=out, stderr=StringIO())
    assert "1 hours left as they were" in out.getvalue()
    assert [total(level) for level in RollupLevel] == [300, 300, 300]


def test_a_backfill_twice_is_a_backfill_once(tmp_path: Path) -> None:
    keep(tmp_path, mixed(50))
    for _ in range(2):
        assert sum(step.requests for step in backfill()) == 50
        assert_sums_equal_rows()


def test_a_backfill_goes_back_as_far_as_it_is_told(tmp_path: Path) -> None:
    keep(tmp_path, aged(40, 3) + aged(1, 2))
    since = datetime.now(UTC) - timedelta(days=2)
    assert sum(step.requests for step in backfill(since)) == 2
    assert [total(level) for level in RollupLevel] == [5, 5, 5]


def test_what_ends_beside_a_backfill_is_counted_once(tmp_path: Path) -> None:
    keep(tmp_path, mixed(100, "old"), "old")
    with recording(tmp_path, "live") as recorder:
        for number, record in enumerate(mixed(400, "live")):
            recorder.request_finished(record)
            if number % 100 == 0:
                assert list(backfill())
    assert total(RollupLevel.DAY) == 500
    assert_sums_equal_rows()


def test_rows_of_a_version_without_sums_are_summed_at_the_first_start(
    tmp_path: Path,
) -> None:
    RequestLog.objects.bulk_create(map(RequestLog.from_record, mixed(50, "old")))
    leave_spool(tmp_path, "dead", [encode_record(r) for r in mixed(5, "dead")])
    Rollup.objects.all().delete()
    with recording(tmp_path, "next"):
        pass
    assert RequestLog.objects.filter(outcome=Outcome.FINISHED).exists()
    assert total(RollupLevel.DAY) == 55
