"""A draft never changes what is said, whoever joins, leaves or ends."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from msgspec import structs

from inference.core.requests import SamplingSpec
from inference.engine.guidance.guides import GuidePlan
from inference.engine.loading.text_model import TextModel, load_text_model
from inference.engine.row_caches.maker import cache_maker_for
from inference.engine.sequences.sequence import Sequence
from inference.engine.speculation.draft_model import DraftModel, load_draft
from inference.engine.text.markers import Marker
from tests.engine.drafts import AGREEMENTS, Machine, with_draft
from tests.engine.driving import TEXTS, Run, SmallChunks, alone, sequence
from tests.engine.random_models import random_model
from tests.models.make_drafts import make_draft

if TYPE_CHECKING:
    from pathlib import Path

GREEDY = SamplingSpec(temperature=0.0, max_tokens=60)
SAMPLED = SamplingSpec(temperature=1.2, seed=5, max_tokens=60)
SPECS = {
    "greedy": GREEDY,
    "sampled": SAMPLED,
    "cool": SamplingSpec(temperature=0.6, top_p=0.9, seed=6, max_tokens=60),
    "top-k, min-p": SamplingSpec(
        temperature=1.5, top_k=20, min_p=0.02, seed=7, max_tokens=60
    ),
    "xtc": SamplingSpec(
        temperature=1.0, xtc_probability=0.5, xtc_threshold=0.05, seed=8, max_tokens=60
    ),
    "penalties": SamplingSpec(
        temperature=1.0,
        presence_penalty=0.6,
        frequency_penalty=0.4,
        repetition_penalty=1.2,
        seed=9,
        max_tokens=60,
    ),
    "biased": SamplingSpec(
        temperature=0.0, logit_bias=((40, 3.0), (41, -9.0)), max_tokens=60
    ),
    "not too short": SamplingSpec(
        temperature=1.0, min_tokens=20, stop_token_ids=(11, 12), seed=10, max_tokens=60
    ),
}


# --- the same text


@pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS)
@pytest.mark.parametrize("agreement", AGREEMENTS)
def test_it_says_with_a_draft_what_it_says_without(
    text: TextModel, drafts: dict[str, DraftModel], agreement: str, spec: SamplingSpec
) -> None:
    numbers = range(len(TEXTS)) if spec in (GREEDY, SAMPLED) else (0, 4)
    said, machine = with_draft(text, drafts[agreement], spec, *numbers)
    assert said == {number: alone(text, number, spec) for number in numbers}
    assert machine.draft


def test_it_needs_few_steps_where_the_draft_agrees(
    text: TextModel, drafts: dict[str, DraftModel]
) -> None:
    steps = {}
    for agreement in AGREEMENTS:
        said, machine = with_draft(text, drafts[agreement], SAMPLED, 0, 4)
        steps[agreement] = len(machine.model) / sum(map(len, said.values()))
    assert steps["always"] < 0.35
    assert steps["always"] < steps["often"] < steps["seldom"]


def test_it_samples_with_the_draft_as_the_row_does_where_that_agrees_more(
    text: TextModel, drafts: dict[str, DraftModel]
) -> None:
    hot = SamplingSpec(temperature=2.0, seed=3, max_tokens=200)
    said, machine = with_draft(text, drafts["always"], hot, 0)
    assert len(said[0]) == 200
    # Its likeliest tokens would hardly ever be right at this temperature.
    assert len(machine.model) < 90


def test_it_keeps_to_the_text_beyond_a_sliding_window() -> None:
    caches = cache_maker_for(random_model("gemma3_text"), kv_bits=None)
    draft = DraftModel(caches.model, vocabulary=128, proposable=128, reach=16)
    machine = Machine()
    spec = SamplingSpec(temperature=0.0, max_tokens=40)
    with_it, without = machine.run(caches, draft), Run(caches)
    for run in (with_it, without):
        run.add(Sequence.of(1, [5, 9, 2, 7], spec))
    assert with_it.finish() == without.finish()
    # Once prompt and answer fill the window nothing can be taken back.
    assert max(machine.model[:-26]) > 1
    assert set(machine.model[-26:]) == {1}


def test_it_keeps_to_the_text_over_quantized_keys_and_values() -> None:
    caches = cache_maker_for(random_model("llama"), kv_bits=8)
    plain = random_model("llama")
    draft = DraftModel(plain, vocabulary=128, proposable=128)
    spec = SamplingSpec(temperature=0.0, max_tokens=20)
    machine = Machine()
    with_it, without = machine.run(caches, draft), Run(caches)
    for run in (with_it, without):
        run.add(Sequence.of(1, [5, 9, 2, 7], spec))
    assert with_it.finish() == without.finish()
    assert len(machine.model) < 15


def test_it_does_not_read_what_the_draft_has_no_entry_for(
    text: TextModel, drafts: dict[str, DraftModel]
) -> None:
    prompt = sequence(text, 0).prompt
    small = replace(drafts["always"], vocabulary=max(prompt))
    said, machine = with_draft(text, small, GREEDY, 0)
    assert said[0] == alone(text, 0, GREEDY)
    assert not machine.draft


# --- company


def test_it_gives_way_to_company_and_takes_up_again(
    text: TextModel, drafts: dict[str, DraftModel]
) -> None:
    long = structs.replace(SAMPLED, max_tokens=120)
    machine = Machine(draft_s=0.01)
    run = machine.run(text.caches, drafts["often"])
    run.add(sequence(text, 0, long))
    while len(run.tokens.get(0, [])) < 30:
        run.turn()
    assert machine.draft
    run.add(sequence(text, 1, SAMPLED), sequence(text, 2, GREEDY))
    run.turn()
    machine.draft.clear()
    while len(run.batch) > 1 or run.prefill:
        run.turn()
    assert machine.draft == []
    assert len(run.tokens[0]) < 120
    answers = run.finish()
    # It read what it missed, then went on proposing.
    assert machine.draft[0] > 30
    assert len(machine.draft) > 5
    assert answers == {
        0: alone(text, 0, long),
        1: alone(text, 1, SAMPLED),
        2: alone(text, 2, GREEDY),
    }


def test_it_does_not_draft_while_a_prompt_waits(
    text: TextModel, drafts: dict[str, DraftModel]
) -> None:
    machine = Machine(draft_s=0.01)
    run = machine.run(text.caches, drafts["always"], SmallChunks())
    run.add(sequence(text, 0, GREEDY))
    while len(run.tokens.get(0, [])) < 20:
        run.turn()
    run.add(sequence(text, 2, GREEDY))
    before = len(machine.draft)
    run.turn()
    run.turn()
    assert run.prefill
    assert len(machine.draft) == before
    assert run.finish() == {n: alone(text, n, GREEDY) for n in (0, 2)}


def test_it_follows_the_row_that_stays_when_its_own_has_left(
    text: TextModel, drafts: dict[str, DraftModel]
) -> None:
    machine = Machine(draft_s=0.01)
    run = machine.run(text.caches, drafts["often"])
    goes, stays = sequence(text, 0, GREEDY), sequence(text, 4, SAMPLED)
    run.add(goes)
    while len(run.tokens.get(0, [])) < 20:
        run.turn()
    run.add(stays)
    for _ in range(6):
        run.turn()
    goes.has_left = True
    run.batch.leave({goes})
    machine.draft.clear()
    answers = run.finish()
    assert machine.draft
    assert answers[4] == alone(text, 4, SAMPLED)
    assert answers[0] == alone(text, 0, GREEDY)[: len(answers[0])]


def test_it_begins_anew_after_a_row_that_was_cancelled(
    text: TextModel, drafts: dict[str, DraftModel]
) -> None:
    machine = Machine(draft_s=0.01)
    run = machine.run(text.caches, drafts["always"])
    goes = sequence(text, 0, SAMPLED)
    run.add(goes)
    while len(run.tokens.get(0, [])) < 20:
        run.turn()
    goes.has_left = True
    run.batch.leave({goes})
    run.add(sequence(text, 4, SAMPLED))
    assert run.finish()[4] == alone(text, 4, SAMPLED)
    assert run.tokens[0] == alone(text, 0, SAMPLED)[: len(run.tokens[0])]


# --- rows that a draft does not suit


def test_it_leaves_rows_alone_whose_logits_are_wanted_or_masked(
    text: TextModel, drafts: dict[str, DraftModel]
) -> None:
    told = structs.replace(GREEDY, logprobs=2)
    machine = Machine(draft_s=0.01)
    run = machine.run(text.caches, drafts["always"])
    plan = GuidePlan(think_end=Marker((9,)), opens_thinking=True)
    guided = sequence(text, 4, GREEDY)
    guided.guide = plan.open(10)
    run.add(sequence(text, 0, told))
    run.finish()
    run.add(guided)
    run.finish()
    assert machine.draft == []


def test_it_does_without_a_draft_that_fails(
    text: TextModel, drafts: dict[str, DraftModel]
) -> None:
    class BrokenError(Exception):
        pass

    class Fails:
        layers = drafts["always"].model.layers

        def __call__(self, *_: Any, **__: Any) -> Any:
            raise BrokenError

    machine = Machine()
    run = machine.run(text.caches, replace(drafts["always"], model=Fails()))
    run.add(sequence(text, 0, GREEDY))
    with pytest.raises(BrokenError):
        run.finish()
    for row in run.batch.clear():
        row.has_left = True
    run.add(sequence(text, 4, GREEDY))
    assert run.finish()[4] == alone(text, 4, GREEDY)


@pytest.mark.slow
def test_it_says_the_same_with_a_real_model(smollm2_dir: Path, tmp_path: Path) -> None:
    text = load_text_model(smollm2_dir)
    draft = load_draft(make_draft(smollm2_dir, tmp_path / "d", "bits", 4), text)
    spec = structs.replace(SAMPLED, max_tokens=20)
    said, machine = with_draft(text, draft, spec, 4)
    assert said[4] == alone(text, 4, spec)
    # After the prompt: steps that look at what the draft proposed.
    assert max(machine.model[1:]) > 1
