"""Tokens per second now, out of a few counts."""

from __future__ import annotations

from metrics.live.speeds import Speeds


def test_it_is_the_speed_over_the_last_few_seconds() -> None:
    speeds = Speeds(window_s=4.0)
    for second in range(20):
        now = speeds.look(float(second), {"a": second * 10})
    assert now == {"a": 10.0}
    # A pause shows within the window, whatever was before it.
    for second in range(20, 25):
        now = speeds.look(float(second), {"a": 190})
    assert now == {"a": 0.0}


def test_it_knows_nothing_after_one_look_and_a_model_from_its_first_token() -> None:
    speeds = Speeds(window_s=4.0)
    assert speeds.look(0.0, {"a": 5}) == {}
    assert speeds.look(1.0, {"a": 5, "b": 30}) == {"a": 0.0, "b": 30.0}


def test_a_count_that_was_corrected_downwards_is_no_negative_speed() -> None:
    speeds = Speeds(window_s=4.0)
    speeds.look(0.0, {"a": 50})
    assert speeds.look(1.0, {"a": 48}) == {"a": 0.0}
