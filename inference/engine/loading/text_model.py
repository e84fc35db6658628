"""A text model on mlx-lm: what is loaded, and what is known about it."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import mlx.core as mx
from mlx.utils import tree_flatten
from mlx_lm.models.cache import make_prompt_cache
from mlx_lm.utils import load

from inference.core.models import ModelOptions
from inference.engine.hardware.device import limit_memory, settle_dtype
from inference.engine.row_caches.maker import (
    CacheMaker,
    KVCost,
    cache_maker_for,
    kv_cost,
)
from inference.engine.text.formats import ModelFormats, formats_of
from inference.engine.text.overrides import tokenizer_settings
from inference.engine.text.turn_ends import names_end, turn_end_of
from inference.engine.text.vocabulary import Vocabulary

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from mlx import nn

    from inference.engine.vision.support import VisionSupport

DEFAULT_CONTEXT_LENGTH = 4096
# Weights are read this much at a time, so that a load tells how far it is.
READ_BYTES = 256 * 1024 * 1024
_FILES_WITH_ENDS = (
    *("config.json", "generation_config.json"),
    *("tokenizer_config.json", "special_tokens_map.json"),
)
_DEFAULT_KEYS = ("temperature", "top_p", "top_k", "min_p", "repetition_penalty")


class ModelFilesError(ValueError):
    """The model directory cannot be served as it is."""


@dataclass(frozen=True, slots=True)
class TextModel:
    """A loaded model and its tokenizer. Lives on the MLX thread, tokenizer apart.

    `context_length` counts tokens; `defaults` holds the sampling defaults of
    the model's own `generation_config.json`. `vocabulary` is how many logits it
    gives, `words` what they mean. `caches` makes the KV caches of its rows. `vision`
    is what a vision model has in addition.
    """

    model: Any
    tokenizer: Any
    context_length: int
    weight_bytes: int
    caches: CacheMaker
    kv_cost: KVCost
    vocabulary: int
    eos_ids: frozenset[int]
    formats: ModelFormats
    words: Vocabulary
    defaults: dict[str, Any] = field(default_factory=dict)
    vision: VisionSupport | None = None
    load_notes: tuple[str, ...] = ()

    @property
    def is_batchable(self) -> bool:
        """Whether several rows can be computed at once."""
        return self.caches.is_batchable

    @property
    def capabilities(self) -> tuple[str, ...]:
        """What it can do, in the words of the library."""
        formats = self.formats
        found = {
            "vision": self.vision is not None,
            "tools": bool(formats.dialect_name),
            "thinking": formats.thinking is not None,
        }
        return ("text", *(name for name, is_there in found.items() if is_there))

    @property
    def notes(self) -> tuple[str, ...]:
        """What of its options could not be done."""
        seen = self.vision.notes if self.vision else ()
        return (
            *self.caches.notes,
            *self.formats.notes,
            *seen,
            *self.load_notes,
        )


def load_text_model(
    path: Path,
    options: ModelOptions = ModelOptions(),  # noqa: B008 -- frozen
    *,
    on_progress: Callable[[int, int], None] | None = None,
) -> TextModel:
    """Load the model in directory `path`; to be called on the MLX thread.

    `on_progress(done, total)` is told how many bytes of weights are in memory.

    Raises:
        ModelFilesError: the directory asks for code of its own.
        Exception: whatever mlx-lm raises for files it cannot use.
    """
    if not options.trust_code:
        for name in ("config.json", "tokenizer_config.json"):
            refuse_foreign_code(read_json(path / name), name)
    model, tokenizer, config = load(
        str(path),
        tokenizer_config={
            "trust_remote_code": options.trust_code,
            **tokenizer_settings(options, path),
        },
        adapter_path=options.adapter_path or None,
        lazy=True,
        return_config=True,
        trust_remote_code=options.trust_code,
    )
    settle_dtype(model)
    weight_bytes = read_weights(model, on_progress)
    limit_memory(weight_bytes)
    caches = cache_maker_for(model, kv_bits=options.kv_bits)
    return TextModel(
        **described(model, tokenizer, config, path=path, options=options),
        caches=caches,
        kv_cost=kv_cost(model, caches),
        weight_bytes=weight_bytes,
    )


def described(
    model: Any,
    tokenizer: Any,
    config: dict[str, Any],
    *,
    path: Path,
    options: ModelOptions,
) -> dict[str, Any]:
    """Return what `TextModel` says of a loaded model, its memory apart.

    `tokenizer` is mlx-lm's, `config` what the model's config.json says.

    Raises:
        OverrideError: the options cannot be followed.
    """
    vocabulary = _vocabulary_of(model)
    eos_ids, notes = _ends_of(tokenizer, path, vocabulary=vocabulary)
    return {
        "model": model,
        "tokenizer": tokenizer,
        "context_length": min(
            context_length_of(config), options.context_limit or sys.maxsize
        ),
        "vocabulary": vocabulary,
        "eos_ids": eos_ids,
        "formats": formats_of(tokenizer, vocabulary=vocabulary, options=options),
        "words": Vocabulary(_inner(tokenizer), size=vocabulary, eos_ids=eos_ids),
        "defaults": sampling_defaults_of(read_json(path / "generation_config.json")),
        "load_notes": notes,
    }


def _ends_of(
    tokenizer: Any, path: Path, *, vocabulary: int
) -> tuple[frozenset[int], tuple[str, ...]]:
    """Return the tokens that end answers, and a note where the template named one."""
    known = frozenset(tokenizer.eos_token_ids)
    if names_end(*(read_json(path / name) for name in _FILES_WITH_ENDS)):
        return known, ()
    token, text = turn_end_of(tokenizer) or (vocabulary, "")
    if token >= vocabulary:
        return known, ()
    note = (
        f"its files name no end token: answers end with {text!r}, with which its chat "
        "template ends turns"
    )
    return known | {token}, (note,)


def read_weights(
    model: nn.Module, on_progress: Callable[[int, int], None] | None = None
) -> int:
    """Bring all weights into memory, some at a time; return their bytes."""
    arrays = [array for _, array in tree_flatten(model.parameters())]
    total: int = sum(array.nbytes for array in arrays)
    done, pending = 0, []
    for array in arrays:
        pending.append(array)
        done += array.nbytes
        if sum(waiting.nbytes for waiting in pending) >= READ_BYTES:
            mx.eval(pending)
            pending = []
            if on_progress is not None:
                on_progress(done, total)
    # Buffers that are no parameters, and the last of the weights.
    mx.eval(pending, model.state)
    if on_progress is not None:
        on_progress(total, total)
    return total


def refuse_foreign_code(config: dict[str, Any], name: str) -> None:
    """Raise `ModelFilesError` where the file `name` asks for Python code to be run."""
    for key in ("model_file", "auto_map"):
        if config.get(key):
            raise ModelFilesError(
                f"{name} names {key!r}: code of the model's own is not run. An entry "
                "or models file may set trust_code."
            )


def context_length_of(config: dict[str, Any]) -> int:
    """Return the context length in tokens that a model config declares."""
    for part in (config, config.get("text_config")):
        if not isinstance(part, dict):
            continue
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
    """Return how many logits the model gives for a position; nothing is computed."""
    logits = model(mx.array([[0]]), cache=make_prompt_cache(model))
    return int(logits.shape[-1])


def _inner(tokenizer: Any) -> Any:
    """Return the Hugging Face tokenizer inside mlx-lm's."""
    return getattr(tokenizer, "_tokenizer", tokenizer)


def warm_up(text: TextModel) -> None:
    """Run one token through the model, so that the first request finds it ready."""
    cache = make_prompt_cache(text.model)
    mx.eval(text.model(mx.array([[next(iter(text.eos_ids), 0)]]), cache=cache))


def read_json(path: Path) -> dict[str, Any]:
    """Return the object in a file; empty where there is none."""
    if not path.exists():
        return {}
    content = json.loads(path.read_text(encoding="utf-8"))
    return content if isinstance(content, dict) else {}
