"""Answers of thousands of tokens: no step leaves work behind for later ones."""

from __future__ import annotations

import io
from typing import Any

import mlx.core as mx
import pytest
from mlx.utils import tree_flatten
from mlx_lm.models.cache import ArraysCache

from inference.core.requests import SamplingSpec
from inference.engine.batch.decode_batch import STEPS_BETWEEN_PURGES
from inference.engine.caches.probe import flat
from inference.engine.row_caches.maker import cache_maker_for
from inference.engine.sequences.sequence import Sequence
from tests.engine.driving import Run
from tests.engine.random_models import random_model

RECURRENT = ["mamba2", "lfm2_moe", "falcon_h1", "qwen3_next"]
ENDLESS = SamplingSpec(temperature=0.0, max_tokens=100_000)


def running(architecture: str, *lengths: int) -> Run:
    run = Run(cache_maker_for(random_model(architecture), kv_bits=None))
    run.add(
        *(
            Sequence.of(number, list(range(1, 1 + length)), ENDLESS)
            for number, length in enumerate(lengths)
        )
    )
    while len(run.batch) < len(lengths):
        run.turn()
    return run


def deferred(caches: list[Any]) -> int:
    """Return how many lines it takes to draw what is still to be computed of caches."""
    arrays = [
        array
        for _, array in tree_flatten([cache.state for cache in flat(caches)])
        if isinstance(array, mx.array)
    ]
    drawing = io.StringIO()
    mx.export_to_dot(drawing, *arrays)
    return len(drawing.getvalue().splitlines())


@pytest.mark.parametrize("architecture", RECURRENT)
@pytest.mark.parametrize("lengths", [(7, 7), (7, 7, 7), (9, 7)])
def test_recurrent_states_of_merged_rows_are_not_padded(
    architecture: str, lengths: tuple[int, ...]
) -> None:
    run = running(architecture, *lengths)
    run.turn()
    states = [c for c in flat(run.batch._caches) if isinstance(c, ArraysCache)]
    assert states
    assert all(c.left_padding is None and c.lengths is None for c in states)


def test_answers_to_a_prompt_of_one_token_forget_their_paddings() -> None:
    run = Run(cache_maker_for(random_model("mamba2"), kv_bits=None))
    run.add(Sequence.of(9, [5, 6, 7], ENDLESS))
    run.turn()
    run.prefill.append([Sequence.of(number, [5], ENDLESS) for number in range(2)])
    for _ in range(5):
        run.turn()
    assert len(run.batch) == 3
    assert run.tokens[0] == run.tokens[1]
    assert all(cache.left_padding is None for cache in run.batch._caches)


@pytest.mark.parametrize("architecture", ["mamba2", "lfm2_moe", "smollm3", "llama"])
def test_steps_leave_nothing_uncomputed_behind(architecture: str) -> None:
    run = running(architecture, 7, 7)
    while run.batch.steps < STEPS_BETWEEN_PURGES - 1:
        run.turn()
    run.turn()
    run.turn()
    first = deferred(run.batch._caches)
    while run.batch.steps < 2 * STEPS_BETWEEN_PURGES:
        run.turn()
    run.turn()
    assert deferred(run.batch._caches) <= first + 10


def test_a_recurrent_model_takes_no_more_memory_after_a_thousand_steps() -> None:
    run = running("mamba2", 7, 7)
    for _ in range(10):
        run.turn()
    mx.clear_cache()
    before = mx.get_active_memory()
    for _ in range(1000):
        run.turn()
    mx.clear_cache()
    assert mx.get_active_memory() <= before + 1000
