"""The tokens of a prompt are scored as the model finds them, in chunks of any size."""

from __future__ import annotations

from typing import TYPE_CHECKING

import mlx.core as mx
import numpy as np
import pytest

from inference.core.models import ModelOptions
from inference.core.requests import SamplingSpec
from inference.engine.loading.text_model import TextModel, load_text_model
from inference.engine.sampling import prompt_scores
from inference.engine.sampling.prompt_scores import ScoredPrompt, ScoreQueue
from inference.engine.sequences.sequence import Sequence

if TYPE_CHECKING:
    from pathlib import Path

TEXT = "The sea was calm, and the gulls slept. " * 3


@pytest.fixture(scope="module")
def text(tiny_model_dir: Path) -> TextModel:
    return load_text_model(tiny_model_dir, ModelOptions(), on_progress=lambda *_: None)


def queue_of(text: TextModel) -> ScoreQueue:
    return ScoreQueue(
        text.model, make_cache=text.caches.make, bytes_of=text.words.bytes_of
    )


def scored(queue: ScoreQueue) -> ScoredPrompt:
    while (prompt := queue.advance()) is None:
        pass
    return prompt


@pytest.mark.parametrize("chunk", [1, 7, 32, 1000])
def test_every_token_has_the_probability_that_one_pass_gives_it(
    text: TextModel, chunk: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prompt_scores, "CHUNK_TOKENS", chunk)
    tokens = text.tokenizer.encode(TEXT)
    queue = queue_of(text)
    queue.append([Sequence.of(1, tokens, SamplingSpec())], top=3)
    entries = scored(queue).tokens

    logits = np.array(text.model(mx.array([tokens]))[0].astype(mx.float32))
    probabilities = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    wanted = [probabilities[at, token] for at, token in enumerate(tokens[1:])]
    assert [entry.logprob for entry in entries[1:]] == pytest.approx(wanted, abs=1e-3)
    assert b"".join(entry.token for entry in entries).decode() == TEXT
    for at, entry in enumerate(entries[1:]):
        best = probabilities[at].max()
        assert entry.top[0].logprob == pytest.approx(best, abs=1e-3)
        assert len(entry.top) == 3


def test_a_prompt_of_one_token_has_nothing_to_score(text: TextModel) -> None:
    queue = queue_of(text)
    queue.append([Sequence.of(1, [5], SamplingSpec())], top=0)
    assert [entry.logprob for entry in scored(queue).tokens] == [0.0]


def test_who_left_is_not_scored(text: TextModel) -> None:
    queue = queue_of(text)
    gone = Sequence.of(1, [5, 6, 7], SamplingSpec())
    stays = Sequence.of(2, [5, 6, 7, 8], SamplingSpec())
    queue.append([gone], top=0)
    queue.append([stays], top=0)
    gone.has_left = True
    assert scored(queue).sequence_group == [stays]
    assert queue.advance() is None


def test_a_model_that_fails_on_one_prompt_is_told_of_it_alone(text: TextModel) -> None:
    def model(tokens: mx.array, **_: object) -> mx.array:
        raise ValueError("broken")

    queue = ScoreQueue(model, make_cache=list, bytes_of=text.words.bytes_of)
    queue.append([Sequence.of(1, [5, 6], SamplingSpec())], top=0)
    assert str(scored(queue).error) == "broken"
    assert len(queue) == 0
