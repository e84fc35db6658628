"""Figures and bars: short, with units, and never wider than their room."""

from __future__ import annotations

from typing import Any

import pytest

from metrics.figures import rate_text, seconds_text
from metrics.models import RequestLog
from metrics.timeline import Timeline, common_scale
from tests.metrics.cast import ended, started


def row(**changes: Any) -> RequestLog:
    return RequestLog.from_record(ended(started(), **changes))


def percent(text: str) -> float:
    return float(text.removesuffix("%"))


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "\N{EN DASH}"),
        (0.0, "0 ms"),
        (0.0034, "3.4 ms"),
        (0.31, "310 ms"),
        (0.9999, "1.00 s"),
        (9.999, "10.0 s"),
        (17.21, "17.2 s"),
        (125.2, "2 min 5 s"),
        (3840.0, "1 h 4 min"),
    ],
)
def test_a_duration_reads_well(seconds, text):
    assert seconds_text(seconds) == text


def test_a_speed_reads_well():
    assert (rate_text(31.24), rate_text(1212.3)) == ("31.2", "1,212")


def test_phases_follow_each_other():
    timeline = Timeline.of(row(load_s=1.0, total_s=3.0))
    assert [span.phase for span in timeline.spans] == [
        "load",
        "prepare",
        "queue",
        "prefill",
        "decode",
    ]
    assert [span.at_s for span in timeline.spans] == pytest.approx([0, 1, 1.1, 1.6, 2])
    assert timeline.label.startswith("load 1.00 s, prepare 100 ms")


def test_a_bar_never_leaves_its_room():
    for scale_s in (None, 0.3, 2.0, 500.0):
        for bar in Timeline.of(row(), scale_s=scale_s).bars:
            assert 0 <= percent(bar.x) <= 100
            assert percent(bar.x) + percent(bar.width) <= 100.01


def test_a_phase_too_short_to_see_is_drawn_all_the_same():
    bars = Timeline.of(row(queue_s=0.000001, total_s=100.0)).bars
    assert all(percent(bar.width) >= 0.6 for bar in bars)


def test_a_request_without_phases_has_an_empty_bar():
    nothing = dict.fromkeys(
        ("prepare_s", "queue_s", "prefill_s", "decode_s", "ttft_s", "total_s")
    )
    timeline = Timeline.of(row(**nothing))
    assert (timeline.bars, timeline.ticks, timeline.first_token) == ([], [], None)
    assert common_scale([row(**nothing)]) is None


def test_the_axis_has_round_times():
    ticks = Timeline.of(row(total_s=17.2)).ticks
    assert [tick.name for tick in ticks] == ["0 s", "5 s", "10 s", "15 s"]
    short = Timeline.of(row(total_s=2.0)).ticks
    assert [tick.name for tick in short][:2] == ["0 s", "500 ms"]
