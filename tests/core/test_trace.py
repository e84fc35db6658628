"""The trace of a request: two records, true times, one end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from inference.core.errors import QueueFullError
from inference.core.frames import PromptPrepared
from inference.core.outcomes import Outcome, Phase
from inference.core.requests import (
    ChatMessage,
    Delta,
    Grammar,
    GrammarKind,
    InferenceRequest,
    Tool,
    ToolMode,
    ToolUse,
    Usage,
)
from inference.core.trace import WARNING_CHARS, WARNINGS_MAX, RequestTrace
from tests.asking import asking as asking_of

if TYPE_CHECKING:
    from tests.core.conftest import Ledger, StoppedClock


def asking(**changes: Any) -> InferenceRequest:
    return asking_of(ChatMessage(role="user"), **changes)


def tools(mode: ToolMode) -> ToolUse:
    return ToolUse(tools=(Tool(name="look"),), mode=mode, function="look")


def test_it_measures_each_phase(
    trace: RequestTrace, clock: StoppedClock, ledger: Ledger
) -> None:
    for phase, seconds in (
        (Phase.PREPARE, 0.5),
        (Phase.QUEUED, 2.0),
        (Phase.PREFILL, 1.0),
    ):
        trace.enter(phase)
        clock.now += seconds
    trace.admitted()
    trace.arrived(Delta(text="one "), 1)
    clock.now += 3.0
    usage = Usage(prompt_tokens=7, completion_tokens=4)
    trace.arrived(Delta(text="two", finish_reason="stop", usage=usage), 3)
    trace.finish()
    trace.close()
    (row,) = ledger.finished
    assert row.outcome is Outcome.FINISHED
    assert (row.prepare_s, row.queue_s, row.prefill_s) == (0.5, 2.0, 1.0)
    assert (row.ttft_s, row.decode_s, row.total_s) == (3.5, 3.0, 6.5)
    assert row.itl_mean_s == 1.0
    assert row.decode_tps == 1.0
    # The whole speed leaves the queue out.
    assert row.tps == pytest.approx(4 / 4.5)
    assert (row.words, row.characters, row.finish_reason) == (2, 7, "stop")


def test_it_counts_a_word_that_arrives_in_pieces_once(
    trace: RequestTrace, ledger: Ledger
) -> None:
    for piece in ("hel", "lo wor", "ld", "", " again "):
        trace.arrived(Delta(text=piece), 1)
    trace.close()
    assert ledger.finished[0].words == 3


def test_it_ends_only_once(trace: RequestTrace, ledger: Ledger) -> None:
    trace.enter(Phase.QUEUED)
    trace.fail(QueueFullError("full"))
    trace.cancel()
    trace.finish()
    trace.close()
    trace.close()
    (row,) = ledger.finished
    assert (row.outcome, row.reason, row.http_status) == (
        Outcome.REJECTED,
        "queue_full",
        429,
    )
    assert row.phase is Phase.QUEUED


def test_it_calls_a_story_without_an_end_cancelled(
    trace: RequestTrace, ledger: Ledger
) -> None:
    trace.enter(Phase.PREFILL)
    trace.close()
    (row,) = ledger.finished
    assert (row.outcome, row.phase, row.http_status) == (
        Outcome.CANCELLED,
        Phase.PREFILL,
        499,
    )


def test_it_leaves_no_record_of_a_request_that_was_never_opened(
    clock: StoppedClock, ledger: Ledger, trace: RequestTrace
) -> None:
    silent = RequestTrace(record=trace.record, observer=ledger, clock=clock)
    silent.finish()
    silent.close()
    assert ledger.finished == []


@pytest.mark.parametrize(
    ("asked", "structured"),
    [
        ({}, ""),
        ({"grammar": Grammar(GrammarKind.REGEX, "a+", "regex")}, "regex"),
        (
            {
                "grammar": Grammar(GrammarKind.JSON_SCHEMA, "{}", "response_format"),
                "tools": tools(ToolMode.AUTO),
            },
            "json_schema",
        ),
        ({"tools": tools(ToolMode.AUTO)}, ""),
        ({"tools": tools(ToolMode.REQUIRED)}, "tool_call"),
        ({"tools": tools(ToolMode.FUNCTION)}, "tool_call"),
    ],
)
def test_it_notes_how_many_choices_were_asked_for_and_what_they_must_look_like(
    trace: RequestTrace, ledger: Ledger, asked: dict[str, Any], structured: str
) -> None:
    trace.describe(asking(n=3, **asked))
    trace.close()
    (row,) = ledger.finished
    assert (row.choices, row.structured) == (3, structured)


def test_it_keeps_the_names_that_mean_nothing_to_the_model(
    trace: RequestTrace, ledger: Ledger
) -> None:
    trace.describe(asking(params={"seed": 3, "ignored": ["mirostat"]}))
    trace.prepared([PromptPrepared(1, 7, 0.0, ignored=("reasoning_effort",))])
    trace.close()
    (row,) = ledger.finished
    assert row.params == {"seed": 3, "ignored": ["mirostat", "reasoning_effort"]}


def test_it_keeps_the_first_few_warnings_short_and_once_each(
    trace: RequestTrace, ledger: Ledger
) -> None:
    warnings = ("pattern is not enforced", "x" * 1000)
    trace.prepared([PromptPrepared(1, 7, 0.0, warnings)])
    for number in range(20):
        trace.warn("pattern is not enforced")
        trace.warn("")
        trace.warn(f"warning {number}")
    trace.close()
    (row,) = ledger.finished
    assert row.prompt_tokens == 7
    assert row.warnings[:3] == (
        "pattern is not enforced",
        "x" * WARNING_CHARS,
        "warning 0",
    )
    assert len(row.warnings) == WARNINGS_MAX == 10
