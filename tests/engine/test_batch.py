"""The running batch over a real model: company never changes an answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from inference.core.requests import SamplingSpec
from inference.engine.loading.text_model import TextModel, load_text_model
from tests.engine.driving import Run, SmallChunks, alone, sequence

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def text(tiny_model_dir: Path) -> TextModel:
    return load_text_model(tiny_model_dir)


def test_it_gives_each_row_of_a_batch_its_own_answer(text: TextModel) -> None:
    run = Run(text.caches)
    run.add(*(sequence(text, number) for number in range(6)))
    assert run.finish() == {number: alone(text, number) for number in range(6)}


def test_it_lets_sequences_join_and_leave_in_mid_answer(text: TextModel) -> None:
    run = Run(text.caches)
    run.add(sequence(text, 0), sequence(text, 1))
    for _ in range(4):
        run.turn()
    run.add(sequence(text, 2))
    for _ in range(3):
        run.turn()
    leaving = next(row for row in run.batch.rows if row.sequence_id == 1)
    leaving.has_left = True
    run.batch.leave({leaving})
    run.add(sequence(text, 3), sequence(text, 4))
    answers = run.finish()
    for number in (0, 2, 3, 4):
        assert answers[number] == alone(text, number)
    assert answers[1] == alone(text, 1)[: len(answers[1])]


def test_it_prefills_a_long_prompt_in_chunks_to_the_same_answer(
    text: TextModel,
) -> None:
    run = Run(text.caches, SmallChunks())
    run.add(sequence(text, 2), sequence(text, 4))
    turns = 0
    while 2 not in run.tokens:
        run.turn()
        turns += 1
    assert turns >= 4
    answers = run.finish()
    assert answers == {number: alone(text, number) for number in (2, 4)}


def test_groups_end_one_after_the_other_and_short_ones_need_not_wait(
    text: TextModel,
) -> None:
    run = Run(text.caches, SmallChunks())
    long, short, also_long = (sequence(text, number) for number in (2, 1, 8))
    run.prefill._rows_per_group = 1
    run.add(long, also_long, short)
    ended = []
    while run.prefill:
        run.prefill.form_groups(8)
        if (group := run.prefill.advance(target_s=0.25)) is not None:
            ended.append(group.sequences[0])
    assert ended == [short, long, also_long]


def test_it_drops_a_sequence_that_left_during_its_prefill(text: TextModel) -> None:
    run = Run(text.caches, SmallChunks())
    stays, goes = sequence(text, 2), sequence(text, 4)
    run.add(stays, goes)
    run.turn()
    goes.has_left = True
    run.prefill.forget_those_who_left()
    assert run.finish() == {2: alone(text, 2)}


def test_it_gives_up_a_prefill_that_nobody_waits_for(text: TextModel) -> None:
    run = Run(text.caches, SmallChunks())
    goes = sequence(text, 2)
    run.add(goes)
    run.turn()
    goes.has_left = True
    run.turn()
    assert not run.prefill
    assert run.finish() == {}


def test_it_samples_a_seeded_row_alike_in_any_company(text: TextModel) -> None:
    spec = SamplingSpec(temperature=1.5, top_p=0.95, seed=11, max_tokens=12)
    run = Run(text.caches)
    run.add(sequence(text, 1))
    for _ in range(3):
        run.turn()
    hot = SamplingSpec(temperature=2.0, max_tokens=12)
    run.add(sequence(text, 0, spec), sequence(text, 5, hot), sequence(text, 3))
    assert run.finish()[0] == alone(text, 0, spec)


def test_it_does_not_pad_short_prompts_to_a_very_long_one(text: TextModel) -> None:
    run = Run(text.caches)
    run.add(sequence(text, 1), sequence(text, 2), sequence(text, 5))
    run.prefill.form_groups(32)
    assert run.prefill.rows == 3
    group = run.prefill.advance(target_s=0.25)
    assert group is not None
    assert [s.sequence_id for s in group.sequences] == [1]


def test_it_prefills_the_prompt_of_several_choices_once(text: TextModel) -> None:
    run = Run(text.caches)
    choices = [sequence(text, 0) for _ in range(3)]
    for place, choice in enumerate(choices):
        choice.sequence_id = 10 + place
    run.prefill.append(choices)
    run.add(sequence(text, 5))
    run.prefill.form_groups(32)
    group = run.prefill.advance(target_s=0.25)
    assert group is not None
    assert (len(group.sequence_groups), len(group.sequences)) == (2, 4)
    run.batch.join(group)
    answer = alone(text, 0)
    assert run.finish() == {10: answer, 11: answer, 12: answer, 5: alone(text, 5)}


def test_it_lets_one_choice_leave_without_its_siblings(text: TextModel) -> None:
    run = Run(text.caches, SmallChunks())
    first, second = sequence(text, 2), sequence(text, 2)
    second.sequence_id = 20
    run.prefill.append([first, second])
    run.turn()
    first.has_left = True
    run.prefill.forget_those_who_left()
    assert run.finish() == {20: alone(text, 2)}
