"""Whether a draft pays is measured, and what does not pay is not done."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from msgspec import structs

from inference.core.requests import SamplingSpec
from inference.engine.sequences.sequence import Sequence
from inference.engine.speculation.draft_model import DraftModel
from inference.engine.speculation.gains import (
    CREDIT_FIRST,
    CREDIT_SHARE,
    DEPTH_MOST,
    SAVINGS_FIRST,
    SAVINGS_SHARE,
)
from tests.engine.drafts import Machine
from tests.engine.driving import Run, sequence

if TYPE_CHECKING:
    from inference.engine.loading.text_model import TextModel


SAMPLED = SamplingSpec(temperature=1.2, seed=5)
GREEDY = SamplingSpec(temperature=0.0)


def answer_long(
    text: TextModel, draft: DraftModel, machine: Machine, tokens: int
) -> None:
    run = machine.run(text.caches, draft)
    run.add(sequence(text, 0, structs.replace(SAMPLED, max_tokens=tokens)))
    run.finish()


@pytest.fixture(scope="module")
def useless(text: TextModel, drafts: dict[str, DraftModel]) -> Machine:
    """A machine that has written an answer beside a draft that is hardly ever right."""
    machine = Machine(draft_s=0.2)
    answer_long(text, drafts["seldom"], machine, 1000)
    return machine


def test_it_stops_asking_a_useless_draft_but_tries_again(useless: Machine) -> None:
    runs = [positions > 1 for positions in useless.model]
    assert sum(runs[:60]) > 5
    late = runs[300:]
    assert 0 < sum(late) < 0.06 * len(late)


def test_it_loses_at_most_a_few_per_cent_by_a_useless_draft(
    text: TextModel, useless: Machine
) -> None:
    learning = CREDIT_FIRST + SAVINGS_FIRST
    share = CREDIT_SHARE + SAVINGS_SHARE
    without = Machine()
    answer_long(text, DraftModel(None), without, 1000)
    # The first run of each depth is not counted.
    assert useless.now - without.now < learning + share * 1000 + DEPTH_MOST


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
    for number, spec in enumerate([structs.replace(SAMPLED, max_tokens=300)] * 3):
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
    answer_long(text, drafts["always"], machine, 400)
    # Eight right proposals: nine tokens for 1.8 + 0.8 seconds.
    assert machine.now < 1.25 * 400 * 2.6 / 9


def test_it_proposes_fewer_tokens_where_they_are_seldom_right(
    text: TextModel, drafts: dict[str, DraftModel]
) -> None:
    depths = {}
    for agreement in ("always", "often"):
        machine = Machine(draft_s=0.2)
        answer_long(text, drafts[agreement], machine, 300)
        proposed = [positions - 1 for positions in machine.model[20:] if positions > 1]
        depths[agreement] = sum(proposed) / len(proposed)
    assert depths["always"] > 6
    assert depths["often"] < depths["always"] - 1


def test_it_measures_plain_steps_now_and_then(
    text: TextModel, drafts: dict[str, DraftModel]
) -> None:
    machine = Machine(draft_s=0.01)
    answer_long(text, drafts["always"], machine, 800)
    plain = sum(positions == 1 for positions in machine.model[20:])
    assert 6 <= plain <= 15


def test_it_has_the_draft_read_a_long_prompt_in_chunks(
    text: TextModel, drafts: dict[str, DraftModel]
) -> None:
    machine = Machine(draft_s=0.01)
    run = machine.run(text.caches, drafts["always"])
    spec = structs.replace(GREEDY, max_tokens=80)
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
    spec = structs.replace(GREEDY, max_tokens=60)
    prompt = sequence(text, 2).prompt * 14
    run = machine.run(text.caches, drafts["always"])
    run.add(Sequence.of(1, prompt, spec))
    run.finish()
    # The guess at its pace was wrong once; then it is known.
    read = sum(machine.draft)
    run.add(Sequence.of(2, prompt, spec))
    run.finish()
    assert read < len(prompt)
    assert sum(machine.draft) == read
