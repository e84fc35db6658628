"""Penalties, biases and bans over a batch: each row as if it were alone."""

from __future__ import annotations

from typing import Any

import mlx.core as mx
import numpy as np
import pytest

from inference.core.requests import SamplingSpec
from inference.engine.sampling.adjusting import BatchAdjuster
from inference.engine.sequences.sequence import Sequence

VOCABULARY = 8
EOS = 7
LOGITS = np.array([1.0, 2.0, -1.0, 0.5, 3.0, -2.0, 0.0, 4.0], dtype=np.float32)


def row(number: int, history: tuple[int, ...] = (), **settings: Any) -> Sequence:
    spec = SamplingSpec(temperature=0.0, **settings)
    sequence = Sequence.of(number, [2, 4, 4], spec, eos_ids=frozenset({EOS}))
    sequence.history = list(history)
    return sequence


def adjusted(
    rows: list[Sequence], newest: list[int], fresh: set[int] | None = None
) -> np.ndarray:
    logits = mx.array(np.tile(LOGITS, (len(rows), 1)))
    tokens = mx.array(newest, dtype=mx.uint32)
    return np.array(BatchAdjuster(rows)(logits, tokens, fresh or set()))


def by_hand(one: Sequence, newest: int | None) -> np.ndarray:
    """Compute one row's logits the plain way, from the documented meaning."""
    spec, logits = one.spec, LOGITS.copy()
    answer = [*one.history, *([] if newest is None else [newest])]
    for token in range(VOCABULARY):
        if token in answer or token in one.prompt:
            factor = spec.repetition_penalty
            value = logits[token]
            logits[token] = value / factor if value > 0 else value * factor
        logits[token] -= spec.frequency_penalty * answer.count(token)
        logits[token] -= spec.presence_penalty * (token in answer)
    for token, bias in spec.logit_bias:
        logits[token] += bias
    if len(answer) < spec.min_tokens:
        logits[EOS] = -np.inf
    return logits


@pytest.mark.parametrize(
    "settings",
    [
        {"presence_penalty": 1.5},
        {"frequency_penalty": -0.5},
        {"repetition_penalty": 1.3},
        {"logit_bias": ((0, 5.0), (4, -100.0))},
        {"min_tokens": 5},
        {"min_tokens": 3},
        {"presence_penalty": 0.3, "frequency_penalty": 0.2, "repetition_penalty": 0.8},
    ],
)
def test_it_moves_logits_as_documented(settings: dict[str, Any]) -> None:
    one = row(1, history=(1, 1, 6), **settings)
    assert adjusted([one], [1])[0] == pytest.approx(by_hand(one, 1))


def test_it_does_not_count_the_prompts_last_token_as_an_answer() -> None:
    one = row(1, frequency_penalty=2.0, min_tokens=1)
    assert adjusted([one], [4], fresh={1})[0] == pytest.approx(by_hand(one, None))


def test_it_touches_only_the_rows_that_ask() -> None:
    plain, penalised = row(1), row(2, history=(4,), presence_penalty=2.0)
    biased = row(3, logit_bias=((3, 10.0),))
    got = adjusted([plain, penalised, biased], [4, 4, 4])
    assert got[0] == pytest.approx(LOGITS)
    assert got[1] == pytest.approx(by_hand(penalised, 4))
    assert got[2] == pytest.approx(by_hand(biased, 4))


def test_it_goes_on_counting_from_step_to_step() -> None:
    one = row(1, frequency_penalty=1.0)
    adjuster = BatchAdjuster([one])
    logits = mx.array(LOGITS[None])
    for fresh, newest in (({1}, 4), (set(), 6), (set(), 6), (set(), 1)):
        last = adjuster(logits, mx.array([newest], dtype=mx.uint32), fresh)
    one.history = [6, 6]
    assert np.array(last)[0] == pytest.approx(by_hand(one, 1))


def test_it_leaves_a_batch_alone_where_nobody_asks() -> None:
    assert not BatchAdjuster([row(1), row(2)])
