"""Rows in slots: who comes and goes is noted, not copied, and no answer changes."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import mlx.core as mx
import pytest

from inference.core.requests import SamplingSpec
from inference.engine.caches.prefixes import PrefixCache
from inference.engine.prefill.groups import PrefillPace, width_for
from inference.engine.row_caches.maker import CacheMaker, cache_maker_for
from inference.engine.row_caches.slot_rows import SlotRows
from inference.engine.row_caches.slots import RowCache, SlotCache
from inference.engine.sequences.sequence import Sequence
from tests.engine.driving import Run
from tests.engine.random_models import VOCABULARY, random_model
from tests.engine.slot_readers import ReadsSlots

if TYPE_CHECKING:
    from collections.abc import Callable

LENGTHS = (16, 3, 13, 9, 40)
LAYERS = 4


@pytest.fixture(scope="module")
def maker() -> CacheMaker:
    return cache_maker_for(random_model("llama"), kv_bits=None)


def sequence(number: int, length: int, max_tokens: int = 10) -> Sequence:
    key = mx.random.key(number)
    prompt = mx.random.randint(0, VOCABULARY, (length,), key=key).tolist()
    return Sequence.of(
        number, list(prompt), SamplingSpec(temperature=0.0, max_tokens=max_tokens)
    )


def rows_of(run: Run) -> SlotRows:
    rows = run.batch._held
    assert isinstance(rows, SlotRows)
    return rows


def layers_of(run: Run) -> list[SlotCache]:
    return [cache for cache in run.batch._caches if isinstance(cache, SlotCache)]


def alone(maker: CacheMaker, number: int, length: int, most: int = 10) -> list[int]:
    run = Run(replace(maker, has_slots=False, attention=None))
    run.add(sequence(number, length, most))
    return run.finish()[number]


def staggered(run: Run) -> dict[int, list[int]]:
    """Have rows of many lengths come one after the other and leave by turns."""
    for number, length in enumerate((*LENGTHS, 5, 21, 8)):
        run.add(sequence(number, length, max_tokens=4 + 3 * number))
        run.turn()
    return run.finish()


EXPECTED = [(n, length, 4 + 3 * n) for n, length in enumerate((*LENGTHS, 5, 21, 8))]


@pytest.mark.parametrize(
    "attention",
    [
        None,
        ReadsSlots(),
        ReadsSlots(writes=True),
        ReadsSlots(writes=True, likes_few_shapes=True),
    ],
    ids=["library", "reads", "writes", "few shapes"],
)
def test_rows_that_come_and_go_say_what_they_say_alone(
    maker: CacheMaker, attention: ReadsSlots | None, attending: Callable[[Any], None]
) -> None:
    if attention is not None:
        attending(maker.model)
    run = Run(replace(maker, attention=attention), prefixes=PrefixCache(1 << 30))
    answers = staggered(run)
    assert answers == {n: alone(maker, n, length, most) for n, length, most in EXPECTED}
    if attention is not None:
        assert attention.rows_given
        if attention.likes_few_shapes:
            assert set(attention.rows_given) <= {1, 2, 4, 8}


@pytest.fixture
def attending(monkeypatch: pytest.MonkeyPatch) -> Callable[[Any], None]:
    """Have a model attend through what reads slots, for one test."""
    from mlx_lm.models import llama

    from inference.engine.row_caches.ragged import attend

    def begin(model: Any) -> None:
        assert type(model).__module__ == llama.__name__
        monkeypatch.setattr(llama, "scaled_dot_product_attention", attend)

    return begin


def test_rows_of_one_length_run_without_a_mask(maker: CacheMaker) -> None:
    run = Run(maker)
    run.add(sequence(0, 9), sequence(1, 9))
    run.turn()
    assert [layer.make_mask(1) for layer in layers_of(run)] == [None] * LAYERS
    assert [layer.make_mask(3) for layer in layers_of(run)] == ["causal"] * LAYERS


def test_all_layers_share_one_offset_and_one_mask(maker: CacheMaker) -> None:
    run = Run(maker)
    run.add(sequence(0, 9), sequence(1, 4))
    run.turn()
    layers = layers_of(run)
    assert len({id(layer.offset) for layer in layers}) == 1
    assert len({id(layer.make_mask(1)) for layer in layers}) == 1
    assert layers[0].offset.tolist() == [9, 4]


def nodes(arrays: list[mx.array]) -> int:
    """Return how many operations there are that nobody has run yet."""
    drawing = io.StringIO()
    mx.export_to_dot(drawing, *arrays)
    return drawing.getvalue().count("rectangle")


def test_a_row_that_leaves_costs_one_write_a_layer_and_a_late_one_nothing(
    maker: CacheMaker,
) -> None:
    run = Run(maker)
    run.add(*(sequence(number, 9 + number, 50) for number in range(4)))
    for _ in range(3):
        run.turn()
    layers = layers_of(run)
    arrays = [array for layer in layers for array in layer.state]
    mx.eval(arrays)
    run.batch.leave({run.batch.rows[3]})
    assert nodes([array for layer in layers for array in layer.state]) == 0
    assert rows_of(run).seats.moves == 0
    run.batch.leave({run.batch.rows[0]})
    assert rows_of(run).seats.moves == 1
    assert [row.sequence_id for row in run.batch.rows] == [2, 1]


def test_attention_that_follows_slots_leaves_rows_where_they_are(
    maker: CacheMaker, attending: Callable[[Any], None]
) -> None:
    attending(maker.model)
    run = Run(replace(maker, attention=ReadsSlots()))
    run.add(*(sequence(number, 9 + number, 50) for number in range(4)))
    for _ in range(3):
        run.turn()
    run.batch.leave({run.batch.rows[0], run.batch.rows[2]})
    assert rows_of(run).seats.slots == [1, 3]
    run.add(sequence(7, 30, 50))
    run.turn()
    assert rows_of(run).seats.slots == [1, 3, 0]


def test_slots_are_given_back_once_few_rows_are_left(maker: CacheMaker) -> None:
    run = Run(maker)
    run.add(*(sequence(number, 5 + number, 50) for number in range(16)))
    while len(run.batch) < 16:
        run.turn()
    whole = layers_of(run)[0].nbytes
    run.batch.leave(set(run.batch.rows[:-2]))
    assert layers_of(run)[0].nbytes <= whole / 4
    answers = run.finish()
    for number in (14, 15):
        assert answers[number] == alone(maker, number, 5 + number, 50)


def test_columns_are_laid_out_ahead_for_the_longest_row(maker: CacheMaker) -> None:
    run = Run(maker)
    run.add(sequence(0, 250, 20), sequence(1, 3, 20))
    answers = run.finish()
    assert answers == {0: alone(maker, 0, 250, 20), 1: alone(maker, 1, 3, 20)}


def test_several_answers_to_one_prompt_join_a_running_batch(maker: CacheMaker) -> None:
    run = Run(maker)
    run.add(sequence(0, 12, 20), sequence(1, 5, 20))
    run.turn()
    one = sequence(2, 17)
    run.prefill.append([one, *(replaced(one, number) for number in (3, 4))])
    answers = run.finish()
    expected = alone(maker, 2, 17)
    assert [answers[number] for number in (2, 3, 4)] == [expected] * 3
    assert answers[0] == alone(maker, 0, 12, 20)


def replaced(one: Sequence, number: int) -> Sequence:
    return Sequence.of(number, one.prompt, one.spec, leads=False)


def test_kept_beginnings_of_several_lengths_are_gone_on_from_together(
    maker: CacheMaker,
) -> None:
    prefixes = PrefixCache(1 << 30)
    first = Run(maker, prefixes=prefixes)
    first.add(sequence(0, 60), sequence(1, 45))
    first.finish()
    run = Run(maker, prefixes=prefixes)
    longer = {}
    for number in (0, 1):
        told = sequence(number, 60 if number == 0 else 45)
        more = [*told.prompt, *range(7 + number)]
        longer[number] = more
        run.add(Sequence.of(number, more, told.spec))
    run.turn()
    assert isinstance(run.batch._held, SlotRows)
    answers = run.finish()
    for number, prompt in longer.items():
        plain = Run(replace(maker, has_slots=False))
        plain.add(Sequence.of(number, prompt, sequence(number, 3).spec))
        assert answers[number] == plain.finish()[number]


@pytest.mark.parametrize(
    ("architecture", "has_slots"),
    [
        ("llama", True),
        ("smollm3", True),
        ("deepseek_v3", True),
        ("gemma2", False),
        ("gemma3_text", False),
        ("qwen3_next", False),
        ("mamba2", False),
    ],
)
def test_models_with_plain_keys_and_values_alone_have_slots(
    architecture: str, has_slots: bool
) -> None:
    made = cache_maker_for(random_model(architecture), kv_bits=None)
    assert made.has_slots is has_slots
    assert all(isinstance(one, RowCache) for one in made.make()) is has_slots


def test_quantized_rows_have_no_slots() -> None:
    made = cache_maker_for(random_model("llama"), kv_bits=8)
    assert not any(isinstance(cache, RowCache) for cache in made.make())


# --- few widths


def test_there_are_few_widths() -> None:
    assert [width_for(count) for count in (1, 32, 33, 48, 49, 65, 97, 1500)] == [
        *(32, 32, 48, 48, 64, 96, 128, 1536)
    ]
    assert len({width_for(count) for count in range(1, 4097)}) == 15


def test_prompts_run_in_few_widths_to_the_same_answers(maker: CacheMaker) -> None:
    run = Run(maker, PrefillPace(tokens_per_s=200.0, has_few_widths=True))
    run.add(*(sequence(number, length) for number, length in enumerate(LENGTHS)))
    run.turn()
    run.add(sequence(5, 90), sequence(6, 300))
    expected = {n: alone(maker, n, length) for n, length in enumerate(LENGTHS)}
    expected |= {5: alone(maker, 5, 90), 6: alone(maker, 6, 300)}
    assert run.finish() == expected


# --- memory


@pytest.mark.parametrize("rows", [1, 4])
def test_a_step_copies_nothing_of_what_rows_hold(maker: CacheMaker, rows: int) -> None:
    run = Run(maker)
    run.add(*(sequence(number, 500 + number, 200) for number in range(rows)))
    while len(run.batch) < rows:
        run.turn()
    for _ in range(3):
        run.turn()
    held = sum(layer.nbytes for layer in run.batch._caches)
    before = mx.get_active_memory()
    mx.reset_peak_memory()
    for _ in range(5):
        run.turn()
    assert mx.get_peak_memory() - before < held / LAYERS / 4
