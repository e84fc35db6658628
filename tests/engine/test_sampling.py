"""One sampler for all rows: each row gets what it would get alone."""

from __future__ import annotations

from typing import Any

import mlx.core as mx
import numpy as np
import pytest

from inference.core.requests import SamplingSpec
from inference.engine.sampling.sampler import BatchSampler
from inference.engine.sequences.row_sampler import RowSampler

DRAWS = 3000
LOGITS = [2.0, 1.0, 0.0, -1.0, -5.0]


def probabilities(logits: list[float], temperature: float = 1.0) -> np.ndarray:
    weights = np.exp(np.array(logits) / temperature)
    return weights / weights.sum()


def frequencies(spec: SamplingSpec) -> np.ndarray:
    """Draw from one random stream, all draws side by side."""
    sampler = BatchSampler([RowSampler.of(spec)] * DRAWS)
    tokens = sampler(mx.array([LOGITS] * DRAWS))
    return np.bincount(np.array(tokens), minlength=len(LOGITS)) / DRAWS


def kept(p: np.ndarray, tokens: int) -> np.ndarray:
    p = p.copy()
    p[tokens:] = 0
    return p / p.sum()


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        (SamplingSpec(seed=1), probabilities(LOGITS)),
        (SamplingSpec(seed=2, temperature=0.5), probabilities(LOGITS, 0.5)),
        (SamplingSpec(seed=3, top_k=2), kept(probabilities(LOGITS), 2)),
        (SamplingSpec(seed=4, top_p=0.7), kept(probabilities(LOGITS), 2)),
        (SamplingSpec(seed=5, top_p=0.6), kept(probabilities(LOGITS), 1)),
        (SamplingSpec(seed=6, min_p=0.1), kept(probabilities(LOGITS), 3)),
        (SamplingSpec(seed=7, top_k=3, top_p=0.9), kept(probabilities(LOGITS), 2)),
        (SamplingSpec(seed=8, top_k=1), kept(probabilities(LOGITS), 1)),
    ],
)
def test_it_draws_tokens_as_often_as_their_probability_says(
    spec: SamplingSpec, expected: np.ndarray
) -> None:
    assert frequencies(spec) == pytest.approx(expected, abs=0.03)


def test_it_takes_the_likeliest_token_at_temperature_zero() -> None:
    greedy = BatchSampler([RowSampler.of(SamplingSpec(temperature=0.0))] * 3)
    logits = mx.array([[0.0, 3.0, 1.0], [5.0, 1.0, 2.0], [0.0, 1.0, 2.0]])
    assert greedy(logits).tolist() == [1, 0, 2]


def test_it_gives_a_seeded_row_the_same_tokens_in_any_company() -> None:
    mx.random.seed(0)
    steps = [mx.random.normal((1, 500)) * 3 for _ in range(20)]
    spec = SamplingSpec(seed=42, top_p=0.9, top_k=50)

    def tokens_in(company: list[SamplingSpec]) -> list[Any]:
        at = len(company) // 2
        specs = [*company[:at], spec, *company[at:]]
        sampler = BatchSampler([RowSampler.of(s) for s in specs])
        return [
            sampler(mx.repeat(logits, len(specs), axis=0))[at].item()
            for logits in steps
        ]

    alone = tokens_in([])
    crowd = [
        SamplingSpec(temperature=0.0),
        SamplingSpec(seed=7, min_p=0.3),
        SamplingSpec(top_k=3),
        SamplingSpec(temperature=0.2, top_p=0.5),
    ]
    assert tokens_in(crowd) == alone
    assert len(set(alone)) > 5


def test_it_draws_differently_without_a_seed() -> None:
    logits = mx.zeros((2, 1000))
    pair = BatchSampler([RowSampler.of(SamplingSpec()) for _ in range(2)])
    draws = [tuple(pair(logits).tolist()) for _ in range(10)]
    assert len(set(draws)) > 5
    assert any(a != b for a, b in draws)


def test_it_never_draws_a_token_that_was_filtered_out() -> None:
    logits = mx.array([[-60.0, 0.0, -60.0]])
    sampler = BatchSampler([RowSampler.of(SamplingSpec(top_p=0.5))])
    assert {sampler(logits).item() for _ in range(200)} == {1}


def test_it_takes_the_coldest_temperatures_for_greedy() -> None:
    cold = BatchSampler([RowSampler.of(SamplingSpec(temperature=1e-40))])
    assert cold(mx.array([[1.0, 5.0, 2.0]])).tolist() == [1]
