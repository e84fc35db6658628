"""The newest point of a chart is there from its first second on."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from metrics.history.gauges import points_up, stretches_down
from metrics.history.query import HistoryQuery

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


@pytest.mark.parametrize("seconds", [0.5, 1, 59, 60, 299])
@pytest.mark.parametrize("is_down", [False, True])
def test_a_server_that_runs_runs_in_the_newest_point_too(
    seconds: float, is_down: bool
) -> None:
    now = NOON + timedelta(seconds=seconds)
    span = HistoryQuery.parse({}, now=now).span
    now_s = int(now.timestamp())
    looked_until_s = now_s - now_s % 60 - (3600 if is_down else 0)
    seen = set(range(span.start_s, looked_until_s, 60))
    down = stretches_down(span, seen, now_s=now_s)
    up = points_up(span, down, now_s=now_s)
    newest = span.points.index(int(NOON.timestamp()))
    assert up[newest] is not is_down
    assert not any(up[newest + 1 :])
