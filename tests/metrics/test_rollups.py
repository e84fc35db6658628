"""Sums equal the rows behind them, whatever happens on the way."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from django.db.models import Sum

from inference.core.outcomes import Outcome
from metrics.models import RequestLog, Rollup, RollupLevel
from metrics.recorder.lines import encode_record
from metrics.rollups.requests import summed
from metrics.rollups.sums import SUMMED
from tests.metrics.cast import NOON, ended, leave_spool, recording, started

if TYPE_CHECKING:
    from pathlib import Path

    from inference.core.events import RequestRecord

pytestmark = pytest.mark.usefixtures("database")

ENDS = [outcome for outcome in Outcome if outcome is not Outcome.RUNNING]


def assert_sums_equal_rows() -> None:
    """Every column of every sum is what its rows add up to."""
    rows = list(RequestLog.objects.ended())
    assert rows
    expected = {place.key: sums for place, sums in summed(rows).items()}
    written: dict[tuple[object, ...], Rollup] = {
        (row.level, row.at, row.boot_id, row.model, row.endpoint, row.key_name): row
        for row in Rollup.objects.all()
    }
    assert set(written) == set(expected)
    for key, sums in expected.items():
        for name in SUMMED:
            assert getattr(written[key], name) == pytest.approx(getattr(sums, name)), (
                key,
                name,
            )


def mixed(count: int, boot_id: str = "boot") -> list[RequestRecord]:
    """Return ended requests of every outcome, over some hours, models and keys."""
    return [
        ended(
            started(
                boot_id,
                started_at=NOON + 97.0 * number,
                key_name=f"key {number % 3}",
            ),
            model=f"model {number % 2}",
            outcome=ENDS[number % len(ENDS)],
            reason="" if number % len(ENDS) == 0 else f"reason {number % 4}",
            admitted=number % 5 > 0,
            itl_mean_s=0.01 * (number % 7),
            tps=50.0 + number,
        )
        for number in range(count)
    ]


def keep(recorder: Any, records: list[RequestRecord]) -> None:
    for record in records:
        recorder.request_finished(record)


def total(level: RollupLevel) -> int:
    found = Rollup.objects.filter(level=level).aggregate(all=Sum("requests"))
    return found["all"] or 0


def test_every_outcome_is_summed_by_minute_hour_and_day(tmp_path: Path) -> None:
    with recording(tmp_path) as recorder:
        keep(recorder, mixed(300))
    assert [total(level) for level in RollupLevel] == [300, 300, 300]
    assert_sums_equal_rows()
    hour = Rollup.objects.filter(level=RollupLevel.HOUR).order_by("at").first()
    assert hour is not None
    assert hour.at == datetime.fromtimestamp(NOON // 3600 * 3600, UTC)


def test_a_request_belongs_to_the_minute_in_which_it_began(tmp_path: Path) -> None:
    begun = started(started_at=NOON + 59.5)
    with recording(tmp_path) as recorder:
        recorder.request_finished(ended(begun, total_s=300.0))
    minute = Rollup.objects.get(level=RollupLevel.MINUTE)
    assert minute.at == datetime.fromtimestamp(NOON, UTC)


def test_what_runs_is_not_counted_before_its_end(tmp_path: Path) -> None:
    with recording(tmp_path) as recorder:
        begun = started()
        recorder.request_started(begun)
        assert recorder.flush()
        assert not Rollup.objects.exists()
        recorder.request_finished(ended(begun))
    assert total(RollupLevel.DAY) == 1


def test_an_end_that_is_told_again_is_counted_once(tmp_path: Path) -> None:
    records = mixed(30)
    with recording(tmp_path) as recorder:
        keep(recorder, records + records[:10])
        assert recorder.flush()
        keep(recorder, records)
    assert total(RollupLevel.DAY) == 30
    assert_sums_equal_rows()


def test_a_spool_that_is_read_again_counts_nothing_twice(tmp_path: Path) -> None:
    records = mixed(450, "dead")
    lines = [encode_record(record) for record in records]
    leave_spool(tmp_path, "dead", lines)
    with recording(tmp_path, "second"):
        pass
    # As after a power cut that took the deletion of the file with it.
    leave_spool(tmp_path, "dead", lines)
    with recording(tmp_path, "third"):
        pass
    assert total(RollupLevel.DAY) == 450
    assert_sums_equal_rows()


def test_a_crash_counts_what_it_interrupted(tmp_path: Path) -> None:
    over = mixed(20, "dead")
    lost = [started("dead", started_at=NOON + n, model="model 1") for n in range(5)]
    leave_spool(tmp_path, "dead", [encode_record(r) for r in (*over, *lost)])
    with recording(tmp_path, "next"):
        pass
    found = Rollup.objects.filter(level=RollupLevel.DAY)
    sums = found.aggregate(Sum("requests"), Sum("interrupted"))
    alone = sum(record.outcome is Outcome.INTERRUPTED for record in over)
    assert sums == {"requests__sum": 25, "interrupted__sum": alone + 5}
    assert_sums_equal_rows()


def test_two_runs_keep_sums_of_their_own(tmp_path: Path) -> None:
    for boot_id in ("one", "two"):
        with recording(tmp_path, boot_id) as recorder:
            keep(recorder, mixed(10, boot_id))
    assert total(RollupLevel.DAY) == 20
    assert_sums_equal_rows()


def test_names_that_no_column_holds_are_cut_and_summed_all_the_same(
    tmp_path: Path,
) -> None:
    wild = {"model": "m\0" * 300, "endpoint": "/\0" * 300, "reason": "r\0" * 90}
    with recording(tmp_path) as recorder:
        for _ in range(2):
            begun = started(key_name="k\0" * 200, **wild)
            recorder.request_finished(ended(begun, outcome=Outcome.FAILED, **wild))
            assert recorder.flush()
        assert recorder.refused_total == 0
    assert total(RollupLevel.MINUTE) == 2
    assert_sums_equal_rows()
