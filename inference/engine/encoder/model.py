"""An encoder on mlx-vlm: what is loaded, and what it makes of a batch.

Imported for encoders only: mlx-vlm takes a second or more to import.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import mlx.core as mx
import numpy as np
from mlx_vlm.encoder_loader import load_encoder_model
from transformers import AutoTokenizer

from inference.core.encoders import code_for, is_scorer
from inference.core.encoding import EncoderTraits
from inference.engine.encoder.inputs import InputReader
from inference.engine.encoder.queue import unit_length
from inference.engine.encoder.recipe import VectorRecipe, recipe_of, steps_of
from inference.engine.hardware.device import limit_memory, settle_dtype
from inference.engine.loading.text_model import (
    ModelFilesError,
    context_length_of,
    read_json,
    read_weights,
    refuse_foreign_code,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from inference.core.models import ModelOptions
    from inference.engine.encoder.batches import EncodeBatch, Matrix

# Families that look back only: their last token has seen all of the text.
_LOOKING_BACK = ("qwen3",)
_PADDED_POSITIONS = "xlm"
_NO_ACTIVATION = "Identity"


@dataclass(frozen=True, slots=True)
class EncoderModel:
    """A loaded encoder and its reader; implements `Forward`. Lives on the MLX thread."""

    model: Any
    reader: InputReader
    recipe: VectorRecipe
    traits: EncoderTraits
    context_length: int
    vocabulary: int
    weight_bytes: int
    padding: int
    is_sigmoid: bool

    @property
    def has_unit_length(self) -> bool:
        """Whether its vectors are brought to length 1."""
        return self.recipe.has_unit_length

    @property
    def capabilities(self) -> tuple[str, ...]:
        """What it can do, in the words of the library."""
        return ("rerank",) if self.traits.scores else ("embeddings",)

    def chunks(self, batch: EncodeBatch, tokens: int) -> Iterator[Matrix | None]:
        """Compute a batch at once: every token reads all others."""
        given = {
            "input_ids": mx.array(batch.tokens(padding=self.padding)),
            "attention_mask": mx.array(batch.is_token()),
        }
        if self.traits.scores:
            seconds = mx.array(batch.is_second())
            logits = self.model(**given, token_type_ids=seconds).logits
            scores = mx.sigmoid(logits) if self.is_sigmoid else logits
            yield _as_floats(scores)
            return
        hidden = self.model(**given).last_hidden_state.astype(mx.float32)
        vectors = self.recipe.pooled(hidden, mx.array(batch.lengths))
        for dense in getattr(self.model, "dense", ()):
            vectors = dense(vectors)
        found = _as_floats(vectors)
        yield unit_length(found) if self.recipe.has_unit_length else found


def load_encoder(
    path: Path,
    options: ModelOptions,
    *,
    on_progress: Callable[[int, int], None] | None = None,
) -> EncoderModel:
    """Load the encoder in directory `path`; to be called on the MLX thread.

    Raises:
        ModelFilesError: the directory asks for what is not served.
        Exception: whatever mlx-vlm raises for files it cannot use.
    """
    config = read_json(path / "config.json")
    for name in ("config.json", "tokenizer_config.json"):
        refuse_foreign_code(read_json(path / name), name)
    model = _load_model(path, config)
    settle_dtype(model)
    weight_bytes = read_weights(model, on_progress)
    limit_memory(weight_bytes)
    tokenizer = AutoTokenizer.from_pretrained(path, local_files_only=True)
    context_length = _context_length(path, config, tokenizer, options.context_limit)
    vocabulary = int(config["vocab_size"])
    named = str(config.get("model_type"))
    return EncoderModel(
        model=model,
        reader=InputReader(
            tokenizer, context_length=context_length, vocabulary=vocabulary
        ),
        recipe=recipe_of(path, usual="lasttoken" if named in _LOOKING_BACK else "mean"),
        traits=_traits_of(path, config),
        context_length=context_length,
        vocabulary=vocabulary,
        weight_bytes=weight_bytes,
        padding=int(getattr(model.config, "pad_token_id", None) or 0),
        is_sigmoid=not _activation_of(config).endswith(_NO_ACTIVATION),
    )


def _load_model(path: Path, config: dict[str, Any]) -> Any:
    code = code_for(config)
    if "Dense" in steps_of(path) and not code.startswith("gemma3"):
        raise ModelFilesError("modules.json has a step that is not served: Dense")
    scores = is_scorer(config)
    return load_encoder_model(
        path,
        model_remapping={str(config.get("model_type")).lower(): code},
        model_class_name="SequenceClassificationModel" if scores else "Model",
        config_overrides={"num_labels": 1} if scores else None,
        lazy=True,
    )


def _traits_of(path: Path, config: dict[str, Any]) -> EncoderTraits:
    if is_scorer(config):
        return EncoderTraits(width=1, scores=True)
    said = read_json(path / "config_sentence_transformers.json") | config
    listed = said.get("matryoshka_dimensions")
    return EncoderTraits(
        width=int(config["hidden_size"]),
        is_cuttable=bool(listed or said.get("is_matryoshka")),
        dimensions=tuple(map(int, listed)) if isinstance(listed, list) else (),
    )


def _context_length(
    path: Path, config: dict[str, Any], tokenizer: Any, limit: int | None
) -> int:
    """Return how many tokens it reads: as its config, tokenizer and folder say."""
    positions = context_length_of(config)
    if str(config.get("model_type")).startswith(_PADDED_POSITIONS):
        # The first positions stand for padding.
        positions -= int(config.get("pad_token_id", 1)) + 1
    said = read_json(path / "sentence_bert_config.json").get("max_seq_length")
    return min(
        positions,
        int(tokenizer.model_max_length),
        said if isinstance(said, int) and said > 0 else sys.maxsize,
        limit or sys.maxsize,
    )


def _activation_of(config: dict[str, Any]) -> str:
    """Return the function that a cross-encoder's folder names for its scores."""
    part = config.get("sentence_transformers")
    said = part.get("activation_fn") if isinstance(part, dict) else None
    return str(said or config.get("sbert_ce_default_activation_function") or "")


def _as_floats(values: mx.array) -> Matrix:
    return np.array(values.astype(mx.float32))
