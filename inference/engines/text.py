"""A text model on mlx-lm: what is loaded, and what is known about it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import mlx.core as mx
from mlx.utils import tree_flatten
from mlx_lm.models.cache import make_prompt_cache
from mlx_lm.utils import load

from inference.engines.device import limit_memory, settle_dtype
from inference.engines.formats import ModelFormats, formats_of
from inference.engines.vocabulary import Vocabulary

if TYPE_CHECKING:
    from pathlib import Path

DEFAULT_CONTEXT_LENGTH = 4096
_DEFAULT_KEYS = ("temperature", "top_p", "top_k", "min_p", "repetition_penalty")


class ModelFilesError(ValueError):
    """The model directory cannot be served as it is."""


@dataclass(frozen=True, slots=True)
class TextModel:
    """A loaded model and its tokenizer. Lives on the MLX thread, tokenizer apart.

    `context_length` counts tokens; `defaults` holds the sampling defaults of
    the model's own `generation_config.json`. `vocabulary` is how many logits it
    gives, `words` what they mean.
    """

    model: Any
    tokenizer: Any
    context_length: int
    weight_bytes: int
    is_batchable: bool
    vocabulary: int
    eos_ids: frozenset[int]
    formats: ModelFormats
    words: Vocabulary
    defaults: dict[str, Any] = field(default_factory=dict)


def load_text_model(path: Path) -> TextModel:
    """Load the model in directory `path`; to be called on the MLX thread.

    Raises:
        ModelFilesError: the directory asks for code of its own.
        Exception: whatever mlx-lm raises for files it cannot use.
    """
    config = _read_json(path / "config.json")
    refuse_foreign_code(config)
    model, tokenizer, config = load(str(path), return_config=True)
    settle_dtype(model)
    weight_bytes = sum(array.nbytes for _, array in tree_flatten(model.parameters()))
    limit_memory(weight_bytes)
    vocabulary = _vocabulary_of(model)
    eos_ids = frozenset(tokenizer.eos_token_ids)
    return TextModel(
        model=model,
        tokenizer=tokenizer,
        context_length=context_length_of(config),
        weight_bytes=weight_bytes,
        is_batchable=all(hasattr(c, "merge") for c in make_prompt_cache(model)),
        vocabulary=vocabulary,
        eos_ids=eos_ids,
        formats=formats_of(tokenizer, vocabulary=vocabulary),
        words=Vocabulary(_inner(tokenizer), size=vocabulary, eos_ids=eos_ids),
        defaults=sampling_defaults_of(_read_json(path / "generation_config.json")),
    )


def refuse_foreign_code(config: dict[str, Any]) -> None:
    """Raise `ModelFilesError` where the config names Python code to run on load."""
    for key in ("model_file", "auto_map"):
        if config.get(key):
            raise ModelFilesError(
                f"config.json names {key!r}: code of the model's own is not run."
            )


def context_length_of(config: dict[str, Any]) -> int:
    """Return the context length in tokens that a model config declares."""
    for part in (config, config.get("text_config") or {}):
        length = part.get("max_position_embeddings")
        if isinstance(length, int) and length > 0:
            return length
    return DEFAULT_CONTEXT_LENGTH


def sampling_defaults_of(generation_config: dict[str, Any]) -> dict[str, Any]:
    """Return the sampling defaults in a model's `generation_config.json`."""
    found = {
        key: generation_config[key]
        for key in _DEFAULT_KEYS
        if isinstance(generation_config.get(key), (int, float))
    }
    if generation_config.get("do_sample") is False:
        found["temperature"] = 0.0
    return found


def _vocabulary_of(model: Any) -> int:
    """Return how many logits the model gives, by asking it for one position's."""
    logits = model(mx.array([[0]]), cache=make_prompt_cache(model))
    return int(logits.shape[-1])


def _inner(tokenizer: Any) -> Any:
    """Return the Hugging Face tokenizer inside mlx-lm's."""
    return getattr(tokenizer, "_tokenizer", tokenizer)


def warm_up(text: TextModel) -> None:
    """Run one token through the model, so that the first request finds it ready."""
    cache = make_prompt_cache(text.model)
    mx.eval(text.model(mx.array([[next(iter(text.eos_ids), 0)]]), cache=cache))


def _read_json(path: Path) -> dict[str, Any]:
    if not path.exists():
        return {}
    content = json.loads(path.read_text(encoding="utf-8"))
    return content if isinstance(content, dict) else {}
