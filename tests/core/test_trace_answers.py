"""What a request's record says of its answer: tokens, text, calls, pace, ending."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from inference.core.frames import PromptPrepared
from inference.core.requests import (
    ChatMessage,
    Delta,
    InferenceRequest,
    ToolCallDelta,
    Usage,
)
from tests.asking import asking

if TYPE_CHECKING:
    from inference.core.trace import RequestTrace
    from tests.core.conftest import Ledger, StoppedClock


def asking_for(choices: int) -> InferenceRequest:
    return asking(ChatMessage(role="user"), n=choices)


def test_thinking_counts_as_tokens_but_not_as_text(
    trace: RequestTrace, clock: StoppedClock, ledger: Ledger
) -> None:
    clock.now += 1.0
    trace.arrived(Delta(reasoning="Let me think"), 3)
    clock.now += 1.0
    usage = Usage(completion_tokens=5, reasoning_tokens=3, cached_tokens=2)
    trace.arrived(Delta(text="Four it is", finish_reason="stop", usage=usage), 2)
    trace.finish()
    trace.close()
    (row,) = ledger.finished
    assert (row.completion_tokens, row.reasoning_tokens, row.cached_tokens) == (5, 3, 2)
    assert (row.words, row.characters) == (3, 10)
    assert (row.ttft_s, row.decode_s) == (1.0, 1.0)


def test_it_counts_calls_by_their_first_pieces(
    trace: RequestTrace, ledger: Ledger
) -> None:
    first = ToolCallDelta(0, "call-1", "look")
    second = ToolCallDelta(1, "call-2", "look", "{}")
    trace.arrived(Delta(tool_calls=(first,)), 2)
    trace.arrived(Delta(tool_calls=(ToolCallDelta(0, arguments="{}"), second)), 2)
    trace.arrived(Delta(index=1, tool_calls=(first,), finish_reason="tool_calls"), 2)
    trace.close()
    (row,) = ledger.finished
    assert (row.tool_calls, row.finish_reason) == (3, "tool_calls")
    assert (row.words, row.completion_tokens) == (0, 6)


def test_the_latest_usage_is_right_whatever_was_counted_before(
    trace: RequestTrace, ledger: Ledger
) -> None:
    trace.describe(asking_for(2))
    for index, total in ((0, 2), (1, 3), (0, 6), (1, 7)):
        usage = Usage(completion_tokens=total, reasoning_tokens=total // 2)
        trace.arrived(Delta(text="x", index=index, usage=usage), 3)
    trace.close()
    (row,) = ledger.finished
    assert (row.completion_tokens, row.reasoning_tokens) == (7, 3)


def test_without_any_usage_it_adds_up_the_tokens_of_all_choices(
    trace: RequestTrace, ledger: Ledger
) -> None:
    trace.describe(asking_for(2))
    trace.prepared([PromptPrepared(1, 7, 0.0)])
    for index in (0, 1, 1):
        trace.arrived(Delta(text="x", index=index), 2)
    trace.close()
    (row,) = ledger.finished
    assert (row.completion_tokens, row.reasoning_tokens, row.cached_tokens) == (
        6,
        None,
        0,
    )


def test_words_of_choices_that_take_turns_are_not_glued_together(
    trace: RequestTrace, ledger: Ledger
) -> None:
    for piece in ("hel", "lo wor", "ld"):
        trace.arrived(Delta(text=piece, index=0), 1)
        trace.arrived(Delta(text=piece, index=1), 1)
    trace.close()
    assert (ledger.finished[0].words, ledger.finished[0].characters) == (4, 22)


def test_its_speed_is_that_of_all_choices_and_its_pace_that_of_each(
    trace: RequestTrace, clock: StoppedClock, ledger: Ledger
) -> None:
    trace.describe(asking_for(2))
    clock.now += 1.0
    for _ in range(5):
        trace.arrived(Delta(text="x", index=0), 1)
        trace.arrived(Delta(text="x", index=1), 1)
        clock.now += 0.5
    trace.finish()
    trace.close()
    (row,) = ledger.finished
    assert (row.ttft_s, row.decode_s) == (1.0, 2.0)
    # Eight of ten tokens came after the first ones, two every half second.
    assert (row.decode_tps, row.itl_mean_s) == (4.0, 0.5)
    assert row.tps == pytest.approx(10 / 3.5)


def test_choices_of_one_token_each_have_no_pace(
    trace: RequestTrace, clock: StoppedClock, ledger: Ledger
) -> None:
    trace.describe(asking_for(2))
    for index in range(2):
        trace.arrived(Delta(text="x", index=index), 1)
        clock.now += 0.5
    trace.close()
    (row,) = ledger.finished
    assert (row.decode_tps, row.itl_mean_s, row.decode_s) == (None, None, 0.5)


@pytest.mark.parametrize(
    ("reasons", "kept"),
    [
        (("stop", "stop"), "stop"),
        (("stop", "length", "stop"), "length"),
        (("length", "tool_calls", "stop"), "tool_calls"),
    ],
)
def test_of_several_endings_it_keeps_the_latest_that_is_not_stop(
    trace: RequestTrace, ledger: Ledger, reasons: tuple[str, ...], kept: str
) -> None:
    for index, reason in enumerate(reasons):
        trace.arrived(Delta(index=index, finish_reason=reason), 0)
    trace.close()
    assert ledger.finished[0].finish_reason == kept
