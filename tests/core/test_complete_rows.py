"""What a row holds beside times and counts: who asked, defaults, estimates, bodies."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import pytest

from inference.core.bodies import BODY_TEXT_CHARS, BodyKeeper
from inference.core.decode_times import Gaps
from inference.core.described import TAGS_MAX
from inference.core.errors import ContextLengthExceededError, QueueFullError
from inference.core.frames import PromptPrepared
from inference.core.images import ImageData
from inference.core.requests import (
    ChatMessage,
    Delta,
    ImagePart,
    InferenceRequest,
    TextPart,
    ToolCallDelta,
)
from tests.asking import asking

if TYPE_CHECKING:
    from inference.core.events import RequestRecord
    from inference.core.trace import RequestTrace
    from tests.core.conftest import Ledger, StoppedClock


def saying(*parts: Any) -> InferenceRequest:
    return asking(ChatMessage("user", parts))


def closed(trace: RequestTrace, ledger: Ledger) -> RequestRecord:
    trace.close()
    (row,) = ledger.finished
    return row


def test_it_notes_user_session_and_tags_of_a_body_that_may_be_wrong(
    trace: RequestTrace, ledger: Ledger
) -> None:
    trace.asked_by(user="anna", metadata={"session_id": "s-1", "team": "x", "n": 5})
    row = closed(trace, ledger)
    assert (row.user, row.session_id) == ("anna", "s-1")
    assert row.tags == {"session_id": "s-1", "team": "x"}


@pytest.mark.parametrize("metadata", [None, 7, ["a"], {5: "x"}])
def test_what_are_no_tags_is_left_out(
    trace: RequestTrace, ledger: Ledger, metadata: object
) -> None:
    trace.asked_by(user=["no", "name"], metadata=metadata)
    row = closed(trace, ledger)
    assert (row.user, row.session_id, row.tags) == ("", "", {})


def test_tags_have_bounds(trace: RequestTrace, ledger: Ledger) -> None:
    trace.asked_by(user="u" * 9999, metadata={f"k{n}": "v" * 9999 for n in range(99)})
    row = closed(trace, ledger)
    assert len(row.tags) == TAGS_MAX
    assert {len(text) for text in [row.user, *row.tags.values()]} == {512}


def test_a_prompt_that_was_never_prepared_is_estimated(
    trace: RequestTrace, ledger: Ledger
) -> None:
    trace.describe(saying(TextPart("word " * 260)))
    trace.fail(QueueFullError("full", figures={"waiting": 5, "places": 5}))
    row = closed(trace, ledger)
    # (260 / 1.3 + 1300 / 4) / 2
    assert (row.prompt_tokens, row.is_estimated) == (262, True)
    assert row.refusal == {"waiting": 5, "places": 5}


def test_a_prompt_that_was_counted_and_refused_keeps_its_count(
    trace: RequestTrace, ledger: Ledger
) -> None:
    trace.describe(saying(TextPart("word " * 260)))
    figures = {"prompt_tokens": 300, "context_length": 256}
    trace.fail(ContextLengthExceededError("long", figures=figures))
    row = closed(trace, ledger)
    assert (row.prompt_tokens, row.is_estimated) == (300, False)
    assert row.refusal == figures


def test_counts_of_the_tokenizer_are_no_estimates(
    trace: RequestTrace, ledger: Ledger
) -> None:
    trace.describe(saying(TextPart("one two")))
    trace.prepared([PromptPrepared(1, 2, 0.0)])
    trace.arrived(Delta(text="three"), 1)
    row = closed(trace, ledger)
    assert (row.prompt_tokens, row.completion_tokens, row.is_estimated) == (2, 1, False)


def test_a_text_without_its_count_is_estimated(
    trace: RequestTrace, ledger: Ledger
) -> None:
    trace.arrived(Delta(text="four words and more " * 13), 0)
    row = closed(trace, ledger)
    assert row.completion_tokens == round((52 / 1.3 + 260 / 4) / 2)
    assert row.is_estimated


def test_it_tells_the_slowest_gaps_between_tokens(
    trace: RequestTrace, clock: StoppedClock, ledger: Ledger
) -> None:
    for number in range(201):
        trace.arrived(Delta(text="x"), 1)
        clock.now += 0.5 if number % 50 == 49 else 0.01
    row = closed(trace, ledger)
    assert row.itl_p99_s == pytest.approx(0.5, rel=0.03)


def test_choices_that_arrive_together_have_no_gap_of_nothing(
    trace: RequestTrace, clock: StoppedClock, ledger: Ledger
) -> None:
    for _ in range(50):
        for choice in range(4):
            trace.arrived(Delta(text="x", index=choice), 1)
        clock.now += 0.2
    assert closed(trace, ledger).itl_p99_s == pytest.approx(0.2, rel=0.03)


def test_percentiles_are_true_to_two_percent() -> None:
    chance, gaps = random.Random(3), Gaps()
    values = [chance.lognormvariate(-4, 1) for _ in range(5000)]
    for value in values:
        gaps.add(value)
    for share in (0.5, 0.9, 0.99):
        exact = sorted(values)[int(share * len(values)) - 1]
        assert gaps.percentile(share) == pytest.approx(exact, rel=0.025)


def test_bodies_hold_texts_calls_and_hashes_but_no_images(
    trace: RequestTrace, ledger: Ledger
) -> None:
    trace.body = BodyKeeper()
    trace.describe(saying(TextPart("what is this?"), ImagePart("data:image/png;...")))
    trace.got_images([ImageData(b"12345", "abc", 1, 1)], None)
    trace.arrived(Delta(text="A c", reasoning="hm"), 1)
    call = ToolCallDelta(0, "call_1", "look", '{"a"')
    trace.arrived(Delta(text="at", tool_calls=(call,)), 1)
    trace.arrived(Delta(tool_calls=(ToolCallDelta(0, arguments=": 1}"),)), 1)
    trace.finish()
    trace.close()
    (bodies,) = ledger.bodies
    (message,) = bodies.prompt["messages"]
    assert message["content"] == [
        {"type": "text", "text": "what is this?"},
        {"type": "image", "sha256": "abc", "bytes": 5},
    ]
    assert bodies.answer == [
        {
            "index": 0,
            "content": "A cat",
            "reasoning_content": "hm",
            "tool_calls": [{"id": "call_1", "name": "look", "arguments": '{"a": 1}'}],
        }
    ]


def test_a_body_holds_each_call_once_however_its_pieces_arrive(
    trace: RequestTrace, ledger: Ledger
) -> None:
    trace.body = BodyKeeper()
    trace.describe(saying(TextPart("look twice")))
    head, second = ToolCallDelta(0, "call_1", "look"), ToolCallDelta(1, "call_2", "go")
    pieces = [ToolCallDelta(0, arguments=text) for text in ("{", '"a": 1', "}")]
    trace.arrived(Delta(tool_calls=(head, *pieces[:2])), 1)
    trace.arrived(Delta(tool_calls=(*pieces[2:], second)), 1)
    trace.arrived(Delta(tool_calls=(ToolCallDelta(1, arguments="{}"),)), 1)
    trace.finish()
    trace.close()
    assert ledger.bodies[0].answer[0]["tool_calls"] == [
        {"id": "call_1", "name": "look", "arguments": '{"a": 1}'},
        {"id": "call_2", "name": "go", "arguments": "{}"},
    ]


def test_long_texts_in_bodies_are_cut(trace: RequestTrace, ledger: Ledger) -> None:
    trace.body = BodyKeeper()
    trace.describe(saying(TextPart("x" * (BODY_TEXT_CHARS + 1))))
    for _ in range(3):
        trace.arrived(Delta(text="y" * BODY_TEXT_CHARS), 1)
    trace.close()
    (bodies,) = ledger.bodies
    texts = [
        bodies.prompt["messages"][0]["content"][0]["text"],
        bodies.answer[0]["content"],
    ]
    assert {len(text) for text in texts} == {BODY_TEXT_CHARS + len(" [cut]")}


def test_without_being_asked_for_no_body_is_kept(
    trace: RequestTrace, ledger: Ledger
) -> None:
    trace.describe(saying(TextPart("secret")))
    trace.close()
    assert ledger.bodies == []
