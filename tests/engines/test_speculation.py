"""A draft model makes a row faster and never changes what it says."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from inference.core.models import ModelOptions
from inference.core.requests import SamplingSpec
from inference.engines.draft_gains import (
    CREDIT_FIRST,
    CREDIT_SHARE,
    DEPTH_MOST,
    SAVINGS_FIRST,
    SAVINGS_SHARE,
)
from inference.engines.guides import GuidePlan
from inference.engines.kv_cache import CacheMaker, cache_maker_for
from inference.engines.markers import Marker
from inference.engines.sequences import Sequence
from inference.engines.speculation import DraftError, DraftModel, load_draft
from inference.engines.text import ModelFilesError, TextModel, load_text_model
from tests.engines.drafts import Machine
from tests.engines.driving import TEXTS, Run, SmallChunks, alone, sequence
from tests.engines.random_models import random_model
from tests.models.make_drafts import make_draft

if TYPE_CHECKING:
    from pathlib import Path

# Noise in standard deviations: the draft is right always, often, seldom.
AGREEMENTS = {"always": 0.0, "often": 0.5, "seldom": 2.0}
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


@pytest.fixture(scope="module")
def text(tiny_model_dir: Path) -> TextModel:
    return load_text_model(tiny_model_dir)


@pytest.fixture(scope="module")
def drafts(
    text: TextModel, tiny_model_dir: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, DraftModel]:
    folder = tmp_path_factory.mktemp("drafts")
    return {
        name: load_draft(make_draft(tiny_model_dir, folder / name, "noise", x), text)
        for name, x in AGREEMENTS.items()
    }


def with_draft(
    text: TextModel, draft: DraftModel, spec: SamplingSpec, *numbers: int
) -> tuple[dict[int, list[int]], Machine]:
    """Let sequences answer one after the other, the draft taking hardly any time."""
    machine = Machine(draft_s=0.01)
    run = machine.run(text.caches, draft)
    for number in numbers:
        run.add(sequence(text, number, spec))
        run.finish()
    return run.tokens, machine


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
    spec = SamplingSpec(temperature=0.0, max_tokens=40)
    machine = Machine()
    with_it, without = machine.run(caches, draft), Run(caches)
    for run in (with_it, without):
        run.add(Sequence.of(1, [5, 9, 2, 7], spec))
    assert with_it.finish() == without.finish()
    assert len(machine.model) < 30


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
    long = replace_spec(SAMPLED, max_tokens=120)
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
    told = replace_spec(GREEDY, logprobs=2)
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


# --- whether it pays


def answer_long(
    text: TextModel, draft: DraftModel, machine: Machine, tokens: int = 600
) -> None:
    run = machine.run(text.caches, draft)
    run.add(sequence(text, 0, replace_spec(SAMPLED, max_tokens=tokens)))
    run.finish()


def test_it_stops_asking_a_useless_draft_but_tries_again(
    text: TextModel, drafts: dict[str, DraftModel]
) -> None:
    machine = Machine(draft_s=0.2)
    answer_long(text, drafts["seldom"], machine, 1000)
    runs = [positions > 1 for positions in machine.model]
    assert sum(runs[:60]) > 5
    late = runs[300:]
    assert 0 < sum(late) < 0.06 * len(late)


def test_it_loses_at_most_a_few_per_cent_by_a_useless_draft(
    text: TextModel, drafts: dict[str, DraftModel]
) -> None:
    learning = CREDIT_FIRST + SAVINGS_FIRST
    share = CREDIT_SHARE + SAVINGS_SHARE
    machine, without = Machine(draft_s=0.2), Machine()
    answer_long(text, drafts["seldom"], machine, 1000)
    answer_long(text, DraftModel(None), without, 1000)
    # The first run of each depth is not counted.
    assert machine.now - without.now < learning + share * 1000 + DEPTH_MOST


def test_it_uses_a_draft_again_once_it_agrees(
    text: TextModel, drafts: dict[str, DraftModel]
) -> None:
    guessing = [drafts["seldom"].model]

    class Fickle:
        layers = guessing[0].layers

        def __call__(self, *args: Any, **options: Any) -> Any:
            return guessing[-1](*args, **options)

    machine = Machine(draft_s=0.1)
    run = machine.run(text.caches, replace(drafts["seldom"], model=Fickle()))
    steps = []
    for number, spec in enumerate([replace_spec(SAMPLED, max_tokens=300)] * 3):
        before = len(machine.model)
        run.add(Sequence.of(number, sequence(text, 0).prompt, spec))
        run.finish()
        steps.append(len(machine.model) - before)
        guessing.append(drafts["always"].model)
    assert steps[0] > 250
    assert steps[2] < 100


def test_it_gains_most_of_what_a_good_draft_can_give(
    text: TextModel, drafts: dict[str, DraftModel]
) -> None:
    machine = Machine(draft_s=0.1)
    answer_long(text, drafts["always"], machine)
    # Eight right proposals: nine tokens for 1.8 + 0.8 seconds.
    assert machine.now < 1.25 * 600 * 2.6 / 9


def test_it_proposes_fewer_tokens_where_they_are_seldom_right(
    text: TextModel, drafts: dict[str, DraftModel]
) -> None:
    depths = {}
    for agreement in ("always", "often"):
        machine = Machine(draft_s=0.2)
        answer_long(text, drafts[agreement], machine)
        proposed = [positions - 1 for positions in machine.model[20:] if positions > 1]
        depths[agreement] = sum(proposed) / len(proposed)
    assert depths["always"] > 6
    assert depths["often"] < depths["always"] - 1


def test_it_measures_plain_steps_now_and_then(
    text: TextModel, drafts: dict[str, DraftModel]
) -> None:
    machine = Machine(draft_s=0.01)
    answer_long(text, drafts["always"], machine, 1200)
    plain = sum(positions == 1 for positions in machine.model[20:])
    assert 6 <= plain <= 20


def test_it_has_the_draft_read_a_long_prompt_in_chunks(
    text: TextModel, drafts: dict[str, DraftModel]
) -> None:
    machine = Machine(draft_s=0.01)
    run = machine.run(text.caches, drafts["always"])
    spec = replace_spec(GREEDY, max_tokens=80)
    prompt = sequence(text, 2).prompt * 8
    run.add(Sequence.of(1, prompt, spec))
    run.turn()
    said = []
    while run.batch:
        run.turn()
        said.append((len(run.tokens.get(1, ())), sum(machine.draft)))
    chunks = [positions for positions in machine.draft if positions > 2]
    assert len(chunks) > 3
    # Between two chunks the row says something.
    reading = [tokens for tokens, read in said if 0 < read < len(prompt)]
    assert reading == list(range(reading[0], reading[0] + len(reading)))
    plain = Run(text.caches)
    plain.add(Sequence.of(1, prompt, spec))
    assert run.tokens == plain.finish()


def test_it_does_not_read_a_prompt_that_takes_longer_than_it_could_give_back(
    text: TextModel, drafts: dict[str, DraftModel]
) -> None:
    machine = Machine(draft_s=10.0)
    prompt = sequence(text, 2).prompt * 14
    run = machine.run(text.caches, drafts["always"])
    run.add(Sequence.of(1, prompt, GREEDY))
    run.finish()
    # The guess at its pace was wrong once; then it is known.
    read = sum(machine.draft)
    run.add(Sequence.of(2, prompt, GREEDY))
    run.finish()
    assert read < len(prompt)
    assert sum(machine.draft) == read


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


# --- loading


def rewritten(source: Path, target: Path, name: str, **changes: Any) -> Path:
    """Copy a model and change its config or another JSON file of it."""
    make_draft(source, target, "noise", 0.0)
    content = json.loads((target / name).read_text())
    (target / name).write_text(json.dumps(content | changes))
    return target


def test_it_refuses_a_draft_with_another_tokenizer(
    text: TextModel, tiny_model_dir: Path, tmp_path: Path
) -> None:
    tokenizer = json.loads((tiny_model_dir / "tokenizer.json").read_text())
    vocabulary = tokenizer["model"]["vocab"]
    first, second = sorted(vocabulary, key=vocabulary.get)[300:302]
    vocabulary[first], vocabulary[second] = vocabulary[second], vocabulary[first]
    draft = rewritten(
        tiny_model_dir, tmp_path / "draft", "tokenizer.json", model=tokenizer["model"]
    )
    with pytest.raises(DraftError, match=r"other tokens.*first that differs is 300"):
        load_draft(draft, text)


def test_it_refuses_a_draft_with_a_smaller_vocabulary(
    text: TextModel, tiny_model_dir: Path, tmp_path: Path
) -> None:
    draft = make_draft(tiny_model_dir, tmp_path / "draft", "vocabulary", 650)
    with pytest.raises(DraftError, match="650 entries, the model's 704"):
        load_draft(draft, text)


def test_it_takes_a_draft_whose_vocabulary_is_only_padded_further(
    text: TextModel, tiny_model_dir: Path, tmp_path: Path
) -> None:
    folder = make_draft(tiny_model_dir, tmp_path / "draft", "vocabulary", 768)
    draft = load_draft(folder, text)
    assert (draft.vocabulary, draft.proposable) == (768, 704)
    said, machine = with_draft(text, draft, SAMPLED, 0)
    assert said[0] == alone(text, 0, SAMPLED)
    assert machine.draft


def test_it_refuses_a_folder_without_a_model(text: TextModel, tmp_path: Path) -> None:
    with pytest.raises(DraftError, match="there is no model in"):
        load_draft(tmp_path / "nothing", text)


def test_it_never_runs_the_code_of_a_draft(
    text: TextModel, tiny_model_dir: Path, tmp_path: Path
) -> None:
    draft = rewritten(
        tiny_model_dir, tmp_path / "draft", "config.json", model_file="evil.py"
    )
    with pytest.raises(ModelFilesError, match="model_file"):
        load_draft(draft, text)


@pytest.mark.parametrize(
    ("architecture", "named"),
    [("mamba2", "ArraysCache"), ("qwen3_next", "ArraysCache")],
)
def test_it_names_what_cannot_take_tokens_back(
    text: TextModel, tiny_model_dir: Path, architecture: str, named: str
) -> None:
    recurrent = replace(text, caches=CacheMaker(random_model(architecture)))
    draft = load_draft(tiny_model_dir, recurrent)
    assert draft.model is None
    assert draft.notes == (
        f"draft_path is not possible: a {named} cannot take tokens back.",
    )


def test_it_serves_without_a_draft_that_cannot_be_used(text: TextModel) -> None:
    run = Run(text.caches, draft=DraftModel(None, notes=("draft_path is not …",)))
    run.add(sequence(text, 0, GREEDY))
    assert run.finish()[0] == alone(text, 0, GREEDY)


def test_it_says_where_a_sliding_window_ends_the_use_of_a_draft(
    text: TextModel, tiny_model_dir: Path
) -> None:
    windowed = replace(text, caches=CacheMaker(random_model("gemma3_text")))
    draft = load_draft(tiny_model_dir, windowed)
    assert draft.reach == 16
    assert "window of 16 tokens" in draft.notes[0]


def test_it_knows_what_a_draft_takes(
    text: TextModel, drafts: dict[str, DraftModel]
) -> None:
    draft = drafts["always"]
    assert draft.weight_bytes == text.weight_bytes
    assert draft.kv_cost == text.kv_cost
    assert (draft.reach, draft.notes) == (text.context_length, ())
    assert sys.maxsize > draft.reach


@pytest.mark.slow
@pytest.mark.parametrize("kv_bits", [None, 8])
def test_it_says_the_same_with_a_real_model(
    smollm2_dir: Path, tmp_path: Path, kv_bits: int | None
) -> None:
    text = load_text_model(smollm2_dir, ModelOptions(kv_bits=kv_bits))
    draft = load_draft(make_draft(smollm2_dir, tmp_path / "d", "bits", 4), text)
    for number, spec in ((0, GREEDY), (4, SAMPLED), (5, SPECS["cool"])):
        said, machine = with_draft(text, draft, spec, number)
        assert said[number] == alone(text, number, spec)
        assert len(machine.model) < len(said[number])


def replace_spec(spec: SamplingSpec, **changes: Any) -> SamplingSpec:
    """Return the settings with some of them changed."""
    fields = {name: getattr(spec, name) for name in spec.__struct_fields__}
    return SamplingSpec(**(fields | changes))
