"""Guides: which tokens may come next, stage by stage, with a real tokenizer."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from llguidance import LLMatcher

from inference.engines.followers import CallGuide, RequiredAnswer
from inference.engines.guides import Guide, GuidePlan
from inference.engines.markers import Marker
from inference.engines.text import TextModel, load_text_model
from tests.structure.poisons import AMBIGUOUS

if TYPE_CHECKING:
    from pathlib import Path

THINK = Marker((650, 651))
END_THINK = Marker((652,))
CALL = Marker((660,))


@pytest.fixture(scope="module")
def text(tiny_model_dir: Path) -> TextModel:
    return load_text_model(tiny_model_dir)


def matcher(text: TextModel, schema: dict[str, Any]) -> LLMatcher:
    rigid = {
        "whitespace_flexible": False,
        "item_separator": ", ",
        "key_separator": ": ",
    }
    grammar = LLMatcher.grammar_from_json_schema(json.dumps(schema), defaults=rigid)
    return text.words.matcher_for(grammar, param="response_format")


def number(text: TextModel) -> LLMatcher:
    return matcher(text, {"type": "integer", "minimum": 10, "maximum": 99})


def allowed(text: TextModel, guide: Guide) -> set[int]:
    mask = np.zeros((text.vocabulary + 31) // 32, dtype=np.int32)
    guide.fill(mask)
    bits = np.unpackbits(mask.view(np.uint8), bitorder="little")
    return set(np.flatnonzero(bits).tolist())


def tokens(text: TextModel, written: str) -> list[int]:
    found: list[int] = text.tokenizer.encode(written, add_special_tokens=False)
    return found


def accept(guide: Guide, *ids: int) -> None:
    for token in ids:
        guide.accept(token)


def test_it_is_over_with_the_last_token_of_the_grammar(text: TextModel) -> None:
    guide = GuidePlan(answer=RequiredAnswer(number(text))).open(None)
    assert guide is not None
    one, two = tokens(text, "4"), tokens(text, "2")
    assert one[0] in allowed(text, guide)
    accept(guide, *one)
    over = [guide.is_over]
    accept(guide, *two)
    over.append(guide.is_over)
    assert over == [False, True]
    assert not guide.error


def test_it_says_what_went_wrong_when_a_token_was_not_allowed(text: TextModel) -> None:
    guide = GuidePlan(answer=RequiredAnswer(number(text))).open(None)
    assert guide is not None
    accept(guide, *tokens(text, "x"))
    assert guide.is_over
    assert guide.error


def test_it_keeps_choices_of_one_plan_apart(text: TextModel) -> None:
    plan = GuidePlan(answer=RequiredAnswer(number(text)))
    first, second = plan.open(None), plan.open(None)
    assert first is not None
    assert second is not None
    accept(first, *tokens(text, "4"), *tokens(text, "2"))
    assert tokens(text, "7")[0] in allowed(text, second)


def test_its_grammar_waits_for_the_end_of_thinking(text: TextModel) -> None:
    eos = tuple(text.eos_ids)
    plan = GuidePlan(
        answer=RequiredAnswer(number(text)),
        think_end=END_THINK,
        opens_thinking=True,
        ends=eos,
    )
    guide = plan.open(None)
    assert guide is not None
    accept(guide, *tokens(text, "some thoughts"))
    # Anything but the end of the answer.
    assert allowed(text, guide) & set(eos) == set()
    assert tokens(text, "x")[0] in allowed(text, guide)
    accept(guide, *END_THINK.tokens)
    assert tokens(text, "x")[0] not in allowed(text, guide)


def test_an_answer_may_open_its_thinking_itself(text: TextModel) -> None:
    plan = GuidePlan(
        answer=RequiredAnswer(number(text)), think_start=THINK, think_end=END_THINK
    )
    guide = plan.open(None)
    assert guide is not None
    may = allowed(text, guide)
    assert THINK.tokens[0] in may
    assert tokens(text, "4")[0] in may
    accept(guide, THINK.tokens[0])
    assert allowed(text, guide) == {THINK.tokens[1]}
    accept(guide, THINK.tokens[1])
    assert tokens(text, "x")[0] in allowed(text, guide)
    straight = plan.open(None)
    assert straight is not None
    accept(straight, *tokens(text, "42"))
    assert straight.is_over


def test_it_ends_thinking_that_has_used_up_its_budget(text: TextModel) -> None:
    plan = GuidePlan(think_end=END_THINK, opens_thinking=True)
    guide = plan.open(3)
    assert guide is not None
    accept(guide, 5, 6)
    assert not guide.constrains
    accept(guide, 7)
    assert allowed(text, guide) == {END_THINK.tokens[0]}
    accept(guide, END_THINK.tokens[0])
    assert not guide.constrains
    none_at_all = plan.open(0)
    assert none_at_all is not None
    assert allowed(text, none_at_all) == {END_THINK.tokens[0]}


def test_free_text_is_held_to_the_grammar_from_the_call_marker_on(
    text: TextModel,
) -> None:
    guide = GuidePlan(marks=(CallGuide(CALL, number(text)),)).open(None)
    assert guide is not None
    accept(guide, *tokens(text, "let me see"))
    assert not guide.constrains
    accept(guide, *CALL.tokens)
    assert guide.holds_call
    assert tokens(text, "x")[0] not in allowed(text, guide)
    accept(guide, *tokens(text, "42"))
    assert not guide.constrains
    assert not guide.is_over


@pytest.mark.parametrize(
    ("last", "holds"), [("call>", True), ("call>4", True), ("call>x", False)]
)
def test_a_marker_of_ordinary_text_is_found_however_it_is_cut(
    text: TextModel, last: str, holds: bool
) -> None:
    mark = Marker(tuple(tokens(text, "<call>")), b"<call>")
    plan = GuidePlan(
        marks=(CallGuide(mark, number(text)),),
        # Its last token may say more than the marker.
        spell=lambda token: last.encode() if token < 0 else text.words.bytes_of(token),
        tokens_of=text.words.tokens_of,
    )
    guide = plan.open(None)
    assert guide is not None
    accept(guide, *tokens(text, "see: <"), -1)
    assert guide.holds_call is holds
    if holds:
        accept(guide, *tokens(text, "42" if last.endswith(">") else "2"))
    assert not guide.constrains


def test_a_forced_answer_is_calls_and_nothing_else(text: TextModel) -> None:
    eos = tuple(text.eos_ids)
    source = (
        f"start: <[{CALL.tokens[0]}]> /[0-9]/ (<[{CALL.tokens[0]}]> /[0-9]/){{0,2}}"
    )
    calls = text.words.matcher_for(source, param="tools")
    guide = GuidePlan(answer=RequiredAnswer(calls=calls), ends=eos).open(None)
    assert guide is not None
    for _ in range(2):
        assert CALL.tokens[0] in allowed(text, guide)
        accept(guide, *CALL.tokens, *tokens(text, "4"))
        assert allowed(text, guide) == {*CALL.tokens, *eos}
    accept(guide, eos[0])
    assert guide.is_over


def test_an_answer_may_be_a_call_or_a_text_that_fits(text: TextModel) -> None:
    source = f"start: <[{CALL.tokens[0]}]> /[0-9]/"
    calls = text.words.matcher_for(source, param="tools")
    plan = GuidePlan(answer=RequiredAnswer(number(text), calls))
    first, second = plan.open(None), plan.open(None)
    assert first is not None
    assert second is not None
    assert allowed(text, first) >= {CALL.tokens[0], tokens(text, "4")[0]}
    held = [first.holds_call]
    accept(first, *CALL.tokens)
    held.append(first.holds_call)
    assert held == [False, True]
    accept(second, *tokens(text, "4"))
    assert not second.holds_call
    assert CALL.tokens[0] not in allowed(text, second)


def test_nothing_to_guide_costs_nothing() -> None:
    assert GuidePlan().open(None) is None
    assert GuidePlan(think_end=END_THINK).open(None) is None


def test_a_grammar_that_fails_while_masking_ends_its_sequence(text: TextModel) -> None:
    guide = GuidePlan(answer=RequiredAnswer(number(text))).open(None)
    assert guide is not None
    # A mask of the wrong size is what llguidance raises for.
    guide.fill(np.zeros(1, dtype=np.int32))
    assert guide.is_over
    assert guide.error


def test_a_grammar_that_becomes_too_much_work_ends_with_a_reason_of_its_own(
    text: TextModel,
) -> None:
    grammar = LLMatcher.grammar_from_lark(AMBIGUOUS)
    body = text.words.matcher_for(grammar, param="guided_grammar")
    guide = GuidePlan(answer=RequiredAnswer(body)).open(None)
    assert guide is not None
    (letter,) = tokens(text, "a")
    for _ in range(3000):
        if guide.is_over:
            break
        allowed(text, guide)
        guide.accept(letter)
    assert guide.error_code == "grammar_exhausted"
    assert "make it simpler" in guide.error
