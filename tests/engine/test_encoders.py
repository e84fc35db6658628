"""What encoders make of texts: the same alone, together, and as the bare model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import mlx.core as mx
import numpy as np
import pytest

from inference.core.encoding import CUT_TO_FIT, EncoderInput, PairPrompt
from inference.core.errors import InvalidRequestError
from inference.core.models import ModelOptions
from inference.core.requests import TextPrompt, TokenPrompt
from inference.engine.encoder.batches import EncodeJob
from inference.engine.encoder.model import EncoderModel, load_encoder
from inference.engine.encoder.queue import EncodeQueue
from inference.engine.loading.text_model import ModelFilesError
from inference.engine.prefill.groups import PrefillPace
from tests.models.random_encoders import SHAPES, write_random_encoder

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from inference.core.frames import InputsEncoded

TEXTS = [
    "the sea",
    "one two three four five six seven eight nine ten " * 3,
    "a cat",
    "the dog the cat the sea a dog a cat",
    "one two three four five six seven eight",
    "zero",
]
SENTENCES = [
    "A cat sits on the mat.",
    "Stocks fell sharply today in New York after the central bank's surprise. " * 8,
    "Ein Satz.",
    "What is the capital of France? Paris is, and has been for long.",
]


def encoded(
    encoder: Any, reader: Any, inputs: Sequence[EncoderInput], **how: Any
) -> np.ndarray[Any, Any]:
    """Return what a queue makes of inputs in one request."""
    told: list[InputsEncoded] = []
    pace = PrefillPace(tokens_per_s=how.pop("tokens_per_s", 2000.0))
    queue = EncodeQueue(encoder, pace=pace, tell=told.append)
    read, _ = reader.read(inputs, how.pop("truncate_to", None))
    queue.append(EncodeJob(1, read, **how))
    while not (told and told[-1].is_last):
        queue.advance(target_s=0.25)
    values = b"".join(part.values for part in told)
    return np.frombuffer(values, "<f4").reshape(len(inputs), told[0].width)


def texts(*said: str) -> list[TextPrompt]:
    return [TextPrompt(each) for each in said]


@pytest.fixture(scope="module")
def minilm(minilm_dir: Path) -> EncoderModel:
    return load_encoder(minilm_dir, ModelOptions())


def test_a_real_model_gives_what_its_bare_computation_gives(
    minilm: EncoderModel, minilm_dir: Path
) -> None:
    from mlx_vlm.embedding_loader import load_embedding_model
    from tokenizers import Tokenizer

    bare = load_embedding_model(minilm_dir)
    tokenizer = Tokenizer.from_file(str(minilm_dir / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    wanted = [
        np.array(bare(mx.array([tokenizer.encode(each).ids])).text_embeds[0])
        for each in SENTENCES
    ]
    together = encoded(minilm, minilm.reader, texts(*SENTENCES))
    assert together == pytest.approx(np.array(wanted), abs=1e-4)
    for each, vector in zip(SENTENCES, wanted, strict=True):
        alone = encoded(minilm, minilm.reader, texts(each))
        assert alone[0] == pytest.approx(vector, abs=1e-4)


def test_a_real_model_finds_alike_what_means_alike(minilm: EncoderModel) -> None:
    said = ("A cat sits.", "A kitten is sitting down.", "Stocks fell today.")
    cat, kitten, stocks = encoded(minilm, minilm.reader, texts(*said))
    assert cat @ kitten > 0.7
    assert cat @ stocks < 0.3


@pytest.mark.parametrize(
    "pooling", ["mean_tokens", "cls_token", "max_tokens", "lasttoken"]
)
@pytest.mark.parametrize("family", SHAPES)
def test_company_of_other_lengths_changes_no_vector(
    family: str, pooling: str, tmp_path: Path
) -> None:
    folder = write_random_encoder(tmp_path / "m", family, pooling=pooling)
    encoder = load_encoder(folder, ModelOptions())
    together = encoded(encoder, encoder.reader, texts(*TEXTS), tokens_per_s=1e6)
    for text, vector in zip(TEXTS, together, strict=True):
        alone = encoded(encoder, encoder.reader, texts(text))
        assert alone[0] == pytest.approx(vector, abs=1e-4)
    assert np.linalg.norm(together, axis=1) == pytest.approx(1.0, abs=1e-5)


def test_the_folder_says_how_states_become_a_vector(tmp_path: Path) -> None:
    tokens = [2, 5, 6, 7, 3]
    found = {}
    for pooling in ("mean_tokens", "cls_token", "max_tokens", "lasttoken"):
        folder = write_random_encoder(
            tmp_path / pooling, pooling=pooling, has_unit_length=False
        )
        encoder = load_encoder(folder, ModelOptions())
        hidden = np.array(encoder.model(mx.array([tokens])).last_hidden_state[0])
        found[pooling] = encoded(encoder, encoder.reader, [TokenPrompt(tuple(tokens))])[
            0
        ]
    wanted = {
        "mean_tokens": hidden.mean(axis=0),
        "cls_token": hidden[0],
        "max_tokens": hidden.max(axis=0),
        "lasttoken": hidden[-1],
    }
    for pooling, vector in wanted.items():
        assert found[pooling] == pytest.approx(vector, abs=1e-4), pooling


def test_steps_that_are_not_served_keep_a_model_from_loading(tmp_path: Path) -> None:
    folder = write_random_encoder(tmp_path / "m", pooling="weightedmean_tokens")
    with pytest.raises(ModelFilesError, match="weightedmean"):
        load_encoder(folder, ModelOptions())
    (folder / "modules.json").write_text('[{"type": "x.Dense"}]')
    with pytest.raises(ModelFilesError, match="Dense"):
        load_encoder(folder, ModelOptions())


@pytest.mark.parametrize("family", ["bert", "xlm-roberta", "modernbert"])
def test_a_cross_encoder_scores_pairs_the_same_in_any_company(
    family: str, tmp_path: Path
) -> None:
    folder = write_random_encoder(
        tmp_path / "m", family, architecture="AnyForSequenceClassification"
    )
    encoder = load_encoder(folder, ModelOptions())
    pairs = [PairPrompt("the sea", each) for each in TEXTS]
    together = encoded(encoder, encoder.reader, pairs, tokens_per_s=1e6)
    assert together.shape == (len(pairs), 1)
    assert ((together > 0) & (together < 1)).all()
    assert len(set(together[:, 0])) == len(pairs)
    for pair, score in zip(pairs, together, strict=True):
        assert encoded(encoder, encoder.reader, [pair])[0] == pytest.approx(
            score, abs=1e-4
        )


def test_what_surrounds_a_text_stays_when_it_is_cut(tmp_path: Path) -> None:
    encoder = load_encoder(write_random_encoder(tmp_path / "m"), ModelOptions())
    long = "one two three four five six"
    (cut,), count = encoder.reader.read(texts(long), 5)
    assert (cut.tokens, count) == ([2, 5, 6, 7, 3], 1)
    (pair,), _ = encoder.reader.read([PairPrompt("the", long)], 6)
    assert (pair.tokens, pair.second) == ([2, 16, 3, 5, 6, 3], 3)
    (ids,), _ = encoder.reader.read([TokenPrompt((9, 8, 7))], 2)
    assert ids.tokens == [9, 8]
    (fitting,), count = encoder.reader.read(texts("one " * 80), CUT_TO_FIT)
    assert (len(fitting.tokens), count) == (64, 1)
    with pytest.raises(InvalidRequestError, match="no room"):
        encoder.reader.read(texts(long), 2)


@pytest.mark.parametrize(
    ("second", "code", "tokens"),
    [
        (TextPrompt("one " * 63), "context_length_exceeded", 65),
        (TextPrompt("one " * 40_000), "context_length_exceeded", None),
        (TokenPrompt((1,) * 65), "context_length_exceeded", 65),
        (TokenPrompt((32,)), "invalid_value", None),
    ],
)
def test_the_input_at_fault_is_told(
    second: EncoderInput, code: str, tokens: int | None, tmp_path: Path
) -> None:
    encoder = load_encoder(write_random_encoder(tmp_path / "m"), ModelOptions())
    with pytest.raises(InvalidRequestError) as caught:
        encoder.reader.read([TextPrompt("one"), second], None)
    assert (caught.value.code, caught.value.figures["place"]) == (code, 1)
    if tokens is not None:
        assert caught.value.figures["prompt_tokens"] == tokens


def test_a_model_trained_for_it_gives_shorter_vectors(tmp_path: Path) -> None:
    folder = write_random_encoder(tmp_path / "m", matryoshka_dimensions=[16, 32])
    encoder = load_encoder(folder, ModelOptions())
    traits = encoder.traits
    assert [traits.takes(n) for n in (16, 32, 64, 17, 65)] == [True] * 3 + [False] * 2
    whole = encoded(encoder, encoder.reader, texts("the sea"))[0]
    short = encoded(encoder, encoder.reader, texts("the sea"), dimensions=16)[0]
    assert short == pytest.approx(whole[:16] / np.linalg.norm(whole[:16]), abs=1e-5)
