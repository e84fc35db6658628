"""Totals: counted live or loaded after a restart, they are the same."""

from __future__ import annotations

import itertools
import random
from typing import TYPE_CHECKING

import pytest

from inference.core.events import StatsTotals
from inference.core.outcomes import Outcome, RequestKind
from metrics.totals import Totals
from mlxsite.databases import default_database as sqlite_settings
from tests.metrics.cast import NOON, default_database, ended, recording, started

if TYPE_CHECKING:
    from pathlib import Path

    from inference.core.events import RequestRecord

NO_TYPES = {"text": 0, "text_stream": 0, "vision": 0, "vision_stream": 0}


def counted(*records: RequestRecord) -> Totals:
    totals = Totals()
    for record in records:
        totals.request_started(record)
        totals.request_finished(record)
    return totals


def all_sorts_of_ends(number: int) -> list[RequestRecord]:
    """Return records of every outcome, kind and model, with a seat and without."""
    chance = random.Random(7)
    ends = [end for end in Outcome if end is not Outcome.RUNNING]
    sorts = itertools.cycle(
        itertools.product(ends, RequestKind, ["a", "b", ""], [True, False])
    )
    records = []
    for index, (outcome, kind, model, admitted) in zip(
        range(number), sorts, strict=False
    ):
        queue_s = chance.choice([None, chance.random()])
        has_speed = admitted and outcome is Outcome.FINISHED
        record = ended(
            started(),
            outcome=outcome,
            kind=kind,
            model=model,
            admitted=admitted,
            completion_tokens=chance.choice([None, chance.randrange(500)]),
            queue_s=queue_s,
            total_s=(queue_s or 0.0) + chance.random() * 60,
            tps=chance.random() * 90 if has_speed else None,
            finished_at=NOON + index * 0.01,
        )
        records.append(record)
    return records


def test_it_starts_from_nothing():
    totals = Totals().totals()
    assert totals.request_types == NO_TYPES
    assert (totals.total_requests, totals.avg_tps, totals.min_tps) == (0, 0.0, 0.0)


def test_it_adds_up_generations_without_their_time_in_the_queue():
    totals = counted(
        ended(started(), kind=RequestKind.TEXT, completion_tokens=150),
        ended(started(), kind=RequestKind.VISION, completion_tokens=50, tps=40.0),
    ).totals()
    assert totals.total_requests == 2
    assert totals.request_types == NO_TYPES | {"text": 1, "vision": 1}
    assert totals.total_tokens == 200
    assert totals.total_time_s == pytest.approx(3.0)
    assert totals.avg_tps == pytest.approx(200 / (150 / 100 + 50 / 40))
    assert (totals.min_tps, totals.max_tps, totals.recent_requests) == (40.0, 100.0, 2)


def test_a_generation_that_failed_counts_as_request_and_as_error():
    failed = ended(started(), outcome=Outcome.FAILED, tps=None)
    totals = counted(failed).totals()
    assert (totals.total_requests, totals.error_count) == (1, 1)
    assert totals.outcomes["failed"] == 1
    assert totals.recent_requests == 0


def test_tokens_are_those_of_all_choices_thinking_included():
    several = ended(started(), completion_tokens=90, reasoning_tokens=60, choices=3)
    totals = counted(several).totals()
    assert (totals.total_requests, totals.total_tokens) == (1, 90)


def test_what_got_no_seat_counts_by_its_outcome_only():
    rejected = ended(started(), outcome=Outcome.REJECTED, admitted=False, tps=None)
    expired = ended(started(), outcome=Outcome.TIMED_OUT, admitted=False, tps=None)
    totals = counted(rejected, expired).totals()
    assert (totals.total_requests, totals.total_tokens, totals.total_time_s) == (
        0,
        0,
        0,
    )
    assert (totals.outcomes["rejected"], totals.outcomes["timed_out"]) == (1, 1)
    assert totals.error_count == 1


def test_speeds_are_those_of_the_last_hundred():
    records = [ended(started(), tps=float(number)) for number in range(1, 151)]
    totals = counted(*records).totals()
    assert (totals.min_tps, totals.max_tps) == (51.0, 150.0)
    assert totals.recent_requests == 100


def test_the_average_speed_lies_between_the_slowest_and_the_fastest():
    slow = ended(started(), outcome=Outcome.CANCELLED, completion_tokens=1, tps=None)
    long_ago = [ended(started(), tps=1.0, completion_tokens=9) for _ in range(150)]
    lately = [ended(started(), tps=90.0 + number % 3) for number in range(100)]

    totals = counted(*long_ago, slow, *lately).totals()

    assert totals.min_tps <= totals.avg_tps <= totals.max_tps
    assert (totals.min_tps, totals.max_tps) == (90.0, 92.0)


@pytest.mark.parametrize(("tokens", "tps"), [(7, 3.3), (3, 49.7), (11, 101.3)])
def test_the_average_of_one_speed_is_that_speed(tokens: int, tps: float) -> None:
    one = ended(started(), completion_tokens=tokens, tps=tps)

    totals = counted(one).totals()

    assert totals.min_tps == totals.avg_tps == totals.max_tps


def test_it_keeps_models_apart():
    totals = counted(
        ended(started(), model="a"),
        ended(started(), model="b"),
        ended(started(), model=""),
    )
    assert totals.totals().total_requests == 3
    by_model = totals.totals_by_model()
    assert {name: one.total_requests for name, one in by_model.items()} == {
        "a": 1,
        "b": 1,
    }


def same(one: StatsTotals, other: StatsTotals) -> bool:
    assert one.total_time_s == pytest.approx(other.total_time_s)
    return all(
        getattr(one, name) == getattr(other, name)
        for name in StatsTotals.__struct_fields__
        if name != "total_time_s"
    )


@pytest.mark.usefixtures("database")
def test_they_are_the_same_after_a_restart(tmp_path: Path) -> None:
    live = Totals()
    with recording(tmp_path) as recorder:
        for record in all_sorts_of_ends(700):
            recorder.request_started(started(request_id=record.request_id))
            recorder.request_finished(record)
            live.request_finished(record)
        assert recorder.flush()
    loaded = Totals()
    assert loaded.load()
    assert live.totals().total_requests == sum(live.totals().request_types.values()) > 0
    assert same(live.totals(), loaded.totals())
    assert live.totals_by_model().keys() == loaded.totals_by_model().keys()
    for model, totals in live.totals_by_model().items():
        assert same(totals, loaded.totals_by_model()[model])


@pytest.mark.usefixtures("database")
def test_they_go_on_from_what_was_loaded(tmp_path: Path) -> None:
    first = ended(started())
    with recording(tmp_path) as recorder:
        recorder.request_finished(first)
        recorder.request_started(started())
        assert recorder.flush()
        totals = Totals()
        totals.load()
        assert totals.totals().total_requests == 1
        totals.request_finished(ended(started()))
        assert same(totals.totals(), counted(first, ended(started())).totals())


def test_a_database_that_cannot_be_read_means_zero(
    tmp_path: Path, sqlite_file: Path
) -> None:
    broken = tmp_path / "broken.sqlite3"
    broken.write_bytes(b"this is no database" * 100)
    for path in (tmp_path / "empty.sqlite3", broken):
        with default_database(**sqlite_settings(path)):
            totals = Totals()
            assert not totals.load()
            assert totals.totals() == Totals().totals()
            totals.request_finished(ended(started()))
            assert totals.totals().total_requests == 1
