"""What was said before is proposed again, and what is certain at once; never else."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import mlx.core as mx
import pytest
from msgspec import structs

from inference.core.requests import Grammar, GrammarKind, SamplingSpec
from inference.engine.guidance.answer_forms import AnswerForms
from inference.engine.guidance.guides import GuidePlan
from inference.engine.row_caches.maker import CacheMaker, cache_maker_for
from inference.engine.sequences.sequence import Sequence
from inference.engine.speculation.lookup import (
    LOOKUP_DEPTH_MOST,
    PromptLookup,
    lookup_for,
)
from inference.engine.speculation.ngrams import NgramIndex
from tests.engine.drafts import Machine
from tests.engine.driving import Run
from tests.engine.random_models import random_model
from tests.engine.test_drafting import SPECS

if TYPE_CHECKING:
    from inference.engine.loading.text_model import TextModel

GREEDY = SamplingSpec(temperature=0.0, max_tokens=60)
# Letters, each of them once.
NOVEL = list(range(300, 360))
FORM = {
    "type": "object",
    "properties": {
        "name_of_the_file": {"enum": ["a", "b"]},
        "number_of_the_line": {"enum": [1, 2]},
    },
    "required": ["name_of_the_file", "number_of_the_line"],
    "additionalProperties": False,
}


@dataclass
class Copier:
    """A model whose likeliest token is the next of a text, wherever it is asked."""

    model: Any
    script: list[int]
    prompt: int

    def __call__(self, tokens: mx.array, cache: Any = None) -> Any:
        before = cache[0].offset
        logits = self.model(tokens, cache=cache)
        said = [
            self.script[max(before + at + 1 - self.prompt, 0) % len(self.script)]
            for at in range(tokens.shape[1])
        ]
        boost = (
            mx.zeros(logits.shape[1:])
            .at[mx.arange(len(said)), mx.array(said)]
            .add(99.0)
        )
        return logits + boost[None]

    def __getattr__(self, name: str) -> Any:
        return getattr(self.model, name)


def looked_up(
    model: Any, caches: CacheMaker, row: Sequence, *, reach: int = 10**6
) -> tuple[list[int], list[int]]:
    """Return what a row says with lookup, and how many positions each pass had."""
    machine = Machine()
    paced = machine.paced(model)
    lookup = PromptLookup(paced, vocabulary=704, reach=reach, clock=machine.clock)
    run = Run(replace(caches, model=paced), speculation=lookup)
    run.add(row)
    return run.finish()[row.sequence_id], machine.model[1:]


def plainly(model: Any, caches: CacheMaker, row: Sequence) -> list[int]:
    run = Run(replace(caches, model=model))
    run.add(row)
    return run.finish()[row.sequence_id]


@pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS)
def test_it_says_with_lookup_what_it_says_without(
    text: TextModel, spec: SamplingSpec
) -> None:
    long = structs.replace(spec, max_tokens=120)
    prompt = [5, 6, 7, 8, 9, 10, 11, 12] * 6
    said, passes = looked_up(text.model, text.caches, Sequence.of(1, prompt, long))
    assert said == plainly(text.model, text.caches, Sequence.of(1, prompt, long))
    assert len(said) <= sum(passes)


def test_who_copies_needs_few_passes(text: TextModel) -> None:
    spec = structs.replace(GREEDY, max_tokens=len(NOVEL))
    copier = Copier(text.model, NOVEL, len(NOVEL))
    said, passes = looked_up(copier, text.caches, Sequence.of(1, NOVEL, spec))
    assert said == NOVEL
    assert len(passes) < len(NOVEL) / 3
    assert 4 < max(passes) <= LOOKUP_DEPTH_MOST + 1


def test_who_says_nothing_twice_is_never_asked_for_more(text: TextModel) -> None:
    spec = structs.replace(GREEDY, max_tokens=len(NOVEL))
    copier = Copier(text.model, NOVEL, 4)
    said, passes = looked_up(copier, text.caches, Sequence.of(1, [5, 6, 7, 8], spec))
    assert said == NOVEL
    assert set(passes) == {1}


def test_wrong_proposals_are_soon_given_up(text: TextModel) -> None:
    # Three tokens that come again and again, each time followed by another.
    script = [t for n in range(400, 700) for t in (20, 21, 22, n)]
    spec = structs.replace(GREEDY, max_tokens=len(script))
    copier = Copier(text.model, script, 4)
    said, passes = looked_up(copier, text.caches, Sequence.of(1, [5, 6, 7, 8], spec))
    assert said == script
    wasted = sum(0.1 * (positions - 1) for positions in passes)
    assert len(passes) + wasted < 1.03 * len(script)


def form(text: TextModel) -> GuidePlan:
    grammar = Grammar(GrammarKind.JSON_SCHEMA, json.dumps(FORM), "response_format")
    answer, _ = AnswerForms(text.words, None, None, None, grammar).answer()
    return GuidePlan(answer=answer)


@pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS)
def test_what_a_grammar_leaves_no_choice_about_is_said_at_once(
    text: TextModel, spec: SamplingSpec
) -> None:
    prompt = [5, 6, 7, 8]
    plan = form(text)
    rows = []
    for _ in range(2):
        row = Sequence.of(1, prompt, spec, eos_ids=text.eos_ids)
        row.guide = plan.open(None)
        rows.append(row)
    said, passes = looked_up(text.model, text.caches, rows[0])
    assert said == plainly(text.model, text.caches, rows[1])
    assert rows[0].error == ""
    assert rows[0].is_complete
    if spec is GREEDY:
        assert len(passes) < len(said)


def test_a_full_window_is_left_alone() -> None:
    caches = cache_maker_for(random_model("gemma3_text"), kv_bits=None)
    spec = SamplingSpec(temperature=0.0, max_tokens=40)
    prompt = [5, 9, 2, 7, 5, 9, 2, 7]
    said, passes = looked_up(
        caches.model, caches, Sequence.of(1, prompt, spec), reach=16
    )
    assert said == plainly(caches.model, caches, Sequence.of(1, prompt, spec))
    assert set(passes[-24:]) == {1}


def test_models_that_cannot_take_tokens_back_go_without(text: TextModel) -> None:
    recurrent = replace(text, caches=CacheMaker(random_model("qwen3_next")))
    assert lookup_for(recurrent) is None
    assert lookup_for(text) is not None


def test_who_wants_probabilities_is_left_alone(text: TextModel) -> None:
    spec = structs.replace(GREEDY, logprobs=2, max_tokens=len(NOVEL))
    copier = Copier(text.model, NOVEL, len(NOVEL))
    _, passes = looked_up(copier, text.caches, Sequence.of(1, NOVEL, spec))
    assert set(passes) == {1}


# --- the index


def test_the_longer_the_likeness_the_more_is_proposed() -> None:
    index = NgramIndex()
    index.extend([1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1, 2])
    assert index.continuation(9) == []
    index.extend([3])
    assert index.continuation(9) == [4, 5, 6]
    index.extend([4, 5])
    assert index.continuation(9) == [6, 7, 8, 9, 0]
    assert index.continuation(2) == [6, 7]


def test_what_was_said_last_is_proposed() -> None:
    index = NgramIndex()
    index.extend([1, 2, 3, 4, 1, 2, 3, 5, 1, 2, 3])
    assert index.continuation(1) == [5]
