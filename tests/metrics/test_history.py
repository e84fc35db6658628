"""Series out of sums and samples: as the rows say, with gaps where no server ran."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from inference.core.errors import InvalidRequestError
from inference.core.outcomes import Outcome
from metrics.histograms import TTFT_S, counted, quantile
from metrics.history import HistoryQuery, read_history
from metrics.history.steps import MOST_POINTS, STEPS_S
from metrics.models import Gauge, RequestLog, Rollup, RollupLevel, ServerEventLog
from tests.metrics.history_rows import GB, event, gauges, request, rollups, save, seed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from metrics.history import History

NOW = datetime(2026, 11, 20, 14, 31, 20, tzinfo=UTC)
ERRORS = ("rejected", "invalid", "timed_out", "failed", "interrupted")


@pytest.fixture
def record(database: None) -> Iterator[None]:
    """An empty record on each kind of database."""
    yield
    for table in (Rollup, Gauge, RequestLog, ServerEventLog):
        table.objects.all().delete()


def history(now: datetime = NOW, **parameters: str) -> History:
    return read_history(HistoryQuery.parse(parameters, now=now), now=now)


def minute(n: int) -> datetime:
    """Return the minute `n` minutes before the one that NOW is in."""
    return RollupLevel.MINUTE.start_of(NOW) - timedelta(minutes=n)


def total(columns: dict[str, list[int | None]]) -> int:
    return sum(value or 0 for column in columns.values() for value in column)


@pytest.mark.usefixtures("record")
@pytest.mark.parametrize(
    "chosen",
    [
        {},
        {"model": "my_qwq"},
        {"model": "my_qwq,kimi-vl", "key": "anna,none"},
        {"endpoint": "/v1/completions", "node": "node"},
    ],
)
@pytest.mark.parametrize("range_", ["1h", "24h", "7d"])
def test_every_point_equals_the_rows_that_began_in_it(
    range_: str, chosen: dict[str, str]
) -> None:
    assert seed(NOW, days=1.2, per_minute=1) > 500
    found = history(range=range_, **chosen)
    rows = RequestLog.objects.all()
    columns = {"model": "model", "key": "key_name", "endpoint": "endpoint"}
    for name, column in columns.items():
        if name in chosen:
            values = ["" if v == "none" else v for v in chosen[name].split(",")]
            rows = rows.filter(**{f"{column}__in": values})
    in_range = [
        row for row in rows if found.start <= row.started_at.timestamp() < found.end
    ]
    assert in_range
    assert found.totals.requests == len(in_range)
    for i, at in enumerate(found.at):
        behind = [
            r for r in in_range if at <= r.started_at.timestamp() < at + found.step
        ]
        if not found.up[i]:
            assert not behind
            continue
        for model, counts in found.requests.items():
            assert counts[i] == sum(row.model == model for row in behind)
        for model, counts in found.completion_tokens.items():
            tokens = [
                row.completion_tokens or 0 for row in behind if row.model == model
            ]
            assert counts[i] == sum(tokens)
        for outcome, counts in found.outcomes.items():
            assert counts[i] == sum(row.outcome == outcome for row in behind)
        for reason, counts in found.reasons.items():
            assert counts[i] == sum(row.reason == reason for row in behind)
        times = [row.ttft_s for row in behind if row.ttft_s is not None]
        expected = quantile(counted(times, TTFT_S), TTFT_S, 0.95)
        assert found.ttft.p95[i] == (expected and pytest.approx(expected, rel=1e-3))
        speeds = [row.tps for row in behind if row.tps is not None]
        assert found.tps.max[i] == (
            pytest.approx(max(speeds), rel=1e-3) if speeds else None
        )
        prompt = sum(row.prompt_tokens or 0 for row in behind)
        cached = sum(row.cached_tokens or 0 for row in behind)
        assert found.cache_hit_rate[i] == (
            pytest.approx(cached / prompt, abs=1e-4) if prompt else None
        )
    bad = sum(row.outcome in ERRORS for row in in_range)
    assert found.totals.errors == total(found.reasons) == bad
    assert sum(use.requests for use in found.keys) == len(in_range)


@pytest.mark.usefixtures("record")
def test_it_shows_nothing_where_no_server_ran_and_zero_where_nothing_came() -> None:
    ran = [*range(40, 61), *range(1, 20)]
    save(*(gauges(RollupLevel.MINUTE, minute(n)) for n in ran))
    save(rollups([request(random.Random(1), minute(10), model="kimi-vl")]))
    found = history(range="1h")
    at = {start: i for i, start in enumerate(found.at)}
    of = found.requests["kimi-vl"]
    for n in range(60):
        i = at[int(minute(n).timestamp())]
        is_down = 20 <= n < 40
        assert found.up[i] is not is_down, n
        assert of[i] == (None if is_down else int(n == 10))
        assert (found.depth.mean[i] is None) is (is_down or n == 0)
    down = (int(minute(39).timestamp()), int(minute(19).timestamp()))
    assert found.down == [down]


@pytest.mark.usefixtures("record")
def test_the_newest_minute_needs_no_sample_yet_but_an_old_end_is_one() -> None:
    save(*(gauges(RollupLevel.MINUTE, minute(n)) for n in range(1, 61)))
    found = history(range="1h")
    assert found.down == []
    assert found.up[-1]
    # Nobody looked yet: that is not zero.
    assert (found.depth.mean[-1], found.budget[-1]) == (None, None)
    assert found.memory["my_qwq"][-2:] == [18 * GB, None]
    later = NOW + timedelta(minutes=10)
    stopped_s = int((minute(0)).timestamp())
    assert history(now=later, range="1h").down == [(stopped_s, int(later.timestamp()))]


@pytest.mark.usefixtures("record")
def test_requests_prove_that_a_server_ran_where_nobody_sampled_it() -> None:
    save(rollups([request(random.Random(1), minute(10))]))
    found = history(range="1h")
    assert [at for at, up in zip(found.at, found.up, strict=True) if up] == [
        int(minute(10).timestamp())
    ]


@pytest.mark.usefixtures("record")
def test_servers_side_by_side_add_up_and_one_after_the_other_do_not() -> None:
    save(
        gauges(RollupLevel.MINUTE, minute(5), boot_id="first"),
        gauges(RollupLevel.MINUTE, minute(5), boot_id="second"),
        gauges(RollupLevel.MINUTE, minute(5), boot_id="other", node="other"),
    )
    found = history(range="1h")
    i = found.at.index(int(minute(5).timestamp()))
    assert found.depth.mean[i] == 2 * 2
    assert found.depth.max[i] == 2 * 5
    assert found.budget[i] == 2 * 144 * GB
    assert found.memory["my_qwq"][i] == 2 * 18 * GB
    one = history(range="1h", node="other", model="my_qwq")
    assert one.memory == {"my_qwq": one.memory["my_qwq"]}
    assert one.memory["my_qwq"][i] == 18 * GB
    assert one.depth.mean[i] == 0.5


@pytest.mark.usefixtures("record")
def test_sums_over_runs_of_a_server_are_one_figure() -> None:
    dice = random.Random(1)
    for boot in ("one", "two"):
        save(rollups([request(dice, minute(3), boot_id=boot, model="m")]))
    assert total(history(range="1h").requests) == 2


@pytest.mark.usefixtures("record")
def test_cancelled_requests_are_no_errors() -> None:
    taken_back = {"outcome": Outcome.CANCELLED, "reason": "client_disconnected"}
    save(rollups([request(random.Random(1), minute(3), **taken_back)]))
    found = history(range="1h")
    assert found.totals.outcomes["cancelled"] == 1
    assert (found.totals.errors, found.reasons) == (0, {})


@pytest.mark.usefixtures("record")
def test_events_stand_on_the_same_axis_oldest_first() -> None:
    save(
        [
            event("worker_died", minute(3), "out of memory", model="a"),
            event("model_load", minute(9), model="b"),
            event("server_start", minute(70)),
        ]
    )
    told = history(range="1h").events
    assert [one.text for one in told] == [
        "model load b",
        "worker died a: out of memory",
    ]
    assert [one.lost for one in told] == [False, True]
    assert [one.kind for one in history(range="1h", model="a").events] == [
        "worker_died"
    ]


@pytest.mark.usefixtures("record")
def test_coarser_sums_stand_in_where_the_minutes_are_gone() -> None:
    dice = random.Random(1)
    old, new = NOW - timedelta(days=40), NOW - timedelta(hours=1)
    save(
        [
            row
            for row in rollups([request(dice, old)])
            if row.level != RollupLevel.MINUTE
        ]
    )
    save(rollups([request(dice, new)]))
    past = history(
        **{"from": str((old - timedelta(hours=3)).timestamp())},
        to=str(old.timestamp() + 60),
    )
    assert (past.level, past.totals.requests) == ("hour", 1)
    assert history(range="24h").level == "minute"


@pytest.mark.usefixtures("record")
def test_a_page_costs_a_handful_of_queries_whatever_the_range() -> None:
    seed(NOW, days=1.2, per_minute=0.5)
    for range_ in ("1h", "24h", "90d"):
        with CaptureQueriesContext(
            connection,
        ) as queries:
            history(range=range_)
        assert len(queries) <= 9


@pytest.mark.usefixtures("record")
def test_an_empty_record_says_so() -> None:
    assert history().is_empty
    save(rollups([request(random.Random(1), minute(3))]))
    assert not history().is_empty


@pytest.mark.parametrize(
    ("range_", "points", "step_s", "level"),
    [
        ("1h", 60, 60, "minute"),
        ("24h", 288, 300, "minute"),
        ("7d", 168, 3600, "hour"),
        ("30d", 240, 10_800, "hour"),
        ("90d", 90, 86_400, "day"),
    ],
)
def test_a_range_has_the_finest_steps_that_a_chart_can_show(
    range_: str, points: int, step_s: int, level: str
) -> None:
    span = HistoryQuery.parse({"range": range_}, now=NOW).span
    assert (len(span.points), span.step_s, span.level) == (points, step_s, level)
    assert span.end >= NOW > span.end - timedelta(seconds=step_s)


@pytest.mark.parametrize("hours", [0.1, 1, 3, 6.7, 24, 100, 333, 2000, 9000, 66_000])
def test_a_chart_has_60_to_400_points_of_whole_spans(hours: float) -> None:
    span = HistoryQuery.parse({"hours": str(hours)}, now=NOW).span
    assert len(span.points) <= MOST_POINTS
    assert len(span.points) >= 57 or span.step_s == STEPS_S[0]
    assert span.step_s % span.level.span.total_seconds() == 0
    assert span.start_s % span.step_s == span.end_s % span.step_s == 0


def test_a_range_of_ones_own_covers_both_its_ends() -> None:
    wanted = {"from": "2026-11-18T08:02Z", "to": "2026-11-19T20:01:30+02:00"}
    asked = HistoryQuery.parse(wanted, now=NOW)
    assert asked.span.start <= datetime(2026, 11, 18, 8, 2, tzinfo=UTC)
    assert asked.span.end >= datetime(2026, 11, 19, 18, 1, 30, tzinfo=UTC)
    assert not asked.is_open
    unix = {"from": "1795000000", "to": "1795003600.5"}
    assert HistoryQuery.parse(unix, now=NOW).span.start_s == 1795000000 // 60 * 60


@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        ("range", "2h"),
        ("range", "forever"),
        ("from", "yesterday"),
        ("from", "2027-01-01"),
        ("from", "1e99"),
        ("from", "0001-01-01"),
        ("from", "-5"),
        ("to", "9999-12-31T23:59:59"),
        ("to", "1" * 400),
        ("hours", "-1"),
        ("hours", "0"),
        ("hours", "nan"),
        ("hours", "inf"),
        ("hours", "1e9"),
        ("hours", "70000"),
        ("step", "7"),
        ("step", "x"),
        ("model", "a\0b"),
        ("model", ",".join(map(str, range(51)))),
        ("outcome", "failed"),
        ("nonsense", "1"),
    ],
)
def test_it_refuses_what_it_cannot_honour_and_names_it(
    parameter: str, value: str
) -> None:
    with pytest.raises(InvalidRequestError) as refused:
        HistoryQuery.parse({parameter: value}, now=NOW)
    assert refused.value.param in (parameter, "from")
