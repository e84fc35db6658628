"""Embeddings of a text model: the mean of its last hidden states, in any chunks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import mlx.core as mx
import numpy as np
import pytest

from inference.core.requests import TextPrompt
from inference.engine.encoder.batches import EncodeBatch, EncodeJob
from inference.engine.encoder.hidden_states import HiddenStates
from inference.engine.encoder.inputs import InputReader, TokenisedInput
from inference.engine.encoder.queue import EncodeQueue
from inference.engine.loading.text_model import TextModel, load_text_model
from inference.engine.prefill.groups import PrefillPace
from tests.engine.driving import SmallChunks
from tests.engine.random_models import ARCHITECTURES, random_model

if TYPE_CHECKING:
    from pathlib import Path

    from inference.core.frames import InputsEncoded

TEXTS = ("The sea was calm.", "one two three four " * 40, "Why?")


@pytest.fixture(scope="module")
def text(tiny_model_dir: Path) -> TextModel:
    return load_text_model(tiny_model_dir)


def read(text: TextModel) -> list[Any]:
    reader = InputReader(
        text.tokenizer, context_length=text.context_length, vocabulary=text.vocabulary
    )
    inputs, _ = reader.read([TextPrompt(each) for each in TEXTS], None)
    return inputs


@pytest.mark.parametrize(
    "pace", [SmallChunks(), PrefillPace(tokens_per_s=1e6)], ids=["chunks", "at once"]
)
def test_every_chunking_gives_the_mean_of_one_pass(
    text: TextModel, pace: PrefillPace
) -> None:
    encoder = HiddenStates.of(text.model)
    assert encoder is not None
    told: list[InputsEncoded] = []
    queue = EncodeQueue(encoder, pace=pace, tell=told.append)
    inputs = read(text)
    queue.append(EncodeJob(1, inputs))
    turns = 0
    while not told:
        queue.advance(target_s=0.25)
        turns += 1
    found = np.frombuffer(told[0].values, "<f4").reshape(len(TEXTS), encoder.width)
    for each, vector in zip(inputs, found, strict=True):
        hidden = np.array(text.model.language_model.model(mx.array([each.tokens]))[0])
        mean = hidden.mean(axis=0)
        assert vector == pytest.approx(mean / np.linalg.norm(mean), abs=1e-4)
    is_chunked = isinstance(pace, SmallChunks)
    assert (turns > len(TEXTS)) == is_chunked


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_company_of_other_lengths_changes_nothing(architecture: str) -> None:
    encoder = HiddenStates.of(random_model(architecture))
    assert encoder is not None
    lengths = (9, 16, 12, 14)
    inputs = [TokenisedInput([(7 * n + k) % 120 for k in range(n)]) for n in lengths]

    def means(*chosen: TokenisedInput) -> np.ndarray[Any, Any]:
        job = EncodeJob(1, list(chosen))
        rows = [(job, place) for place in range(len(chosen))]
        batch = EncodeBatch(rows, max(map(job.length, range(len(chosen)))))
        *_, found = encoder.chunks(batch, 20)
        assert found is not None
        return found

    together = means(*inputs)
    for each, vector in zip(inputs, together, strict=True):
        assert means(each)[0] == pytest.approx(vector, abs=1e-4)
