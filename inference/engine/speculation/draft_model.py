"""A draft model: a small one that guesses what the model beside it will say.

Loading and checking it; `drafting.py` does the work with it.
"""

from __future__ import annotations

import json
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import mlx.core as mx
from mlx_lm.models.cache import KVCache, RotatingKVCache, make_prompt_cache
from mlx_lm.utils import load

from inference.engine.caches.probe import flat
from inference.engine.caches.quantized import QuantizedCache
from inference.engine.caches.row_places import RowPlaces
from inference.engine.hardware.device import limit_memory, settle_dtype
from inference.engine.loading.text_model import (
    ModelFilesError,
    TextModel,
    context_length_of,
    read_weights,
    refuse_foreign_code,
)
from inference.engine.row_caches.maker import CacheMaker, KVCost, kv_cost

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

# What can take back the newest tokens of a row.
_TRIMMABLE = (KVCache, RotatingKVCache, QuantizedCache, RowPlaces)
_NO_COST = KVCost(bytes_per_token=0, bytes_per_row=0, window=0)


class DraftError(ModelFilesError):
    """The draft model cannot guess for this model."""


@dataclass(frozen=True, slots=True)
class DraftModel:
    """A loaded draft model; lives on the MLX thread, as the model beside it does.

    `model` is `None` where `notes` say that no draft can be used. It can read the
    first `vocabulary` tokens and may propose the first `proposable`. Beyond `reach` tokens of a row, prompt included, it
    is not used: a sliding window of either model is full, or its context ends.
    One row at a time has caches of its too (`kv_cost`). Whether it pays is measured
    by `clock`, in seconds.
    """

    model: Any
    vocabulary: int = 0
    proposable: int = 0
    weight_bytes: int = 0
    reach: int = sys.maxsize
    kv_cost: KVCost = _NO_COST
    clock: Callable[[], float] = time.monotonic
    notes: tuple[str, ...] = ()


def load_draft(
    path: Path,
    text: TextModel,
    *,
    on_progress: Callable[[int, int], None] | None = None,
) -> DraftModel:
    """Load the model in directory `path` as a draft for `text`; on the MLX thread.

    Its code is never trusted. Where the caches of either cannot take tokens back,
    nothing is loaded and a note says so.

    Raises:
        DraftError: its tokens are not those of `text`, or the folder is no model.
        ModelFilesError: the directory asks for code of its own.
        Exception: whatever mlx-lm raises for files it cannot use.
    """
    if not (path / "config.json").is_file():
        raise DraftError(f"draft_path: there is no model in {path}.")
    note = _obstacle(text.caches.make())
    if note:
        return DraftModel(None, notes=(f"draft_path is not possible: {note}.",))
    for name in ("config.json", "tokenizer_config.json"):
        refuse_foreign_code(_read_json(path / name), name)
    model, tokenizer, config = load(str(path), lazy=True, return_config=True)
    caches = make_prompt_cache(model)
    note = _obstacle(caches)
    if note:
        note = f"draft_path is not possible: in the draft model {note}."
        return DraftModel(None, notes=(note,))
    _refuse_other_tokens(_vocabulary_of(tokenizer), _vocabulary_of(text.tokenizer))
    logits = _logits_of(model)
    _refuse_few_logits(logits, text)
    settle_dtype(model)
    weight_bytes = read_weights(model, on_progress)
    limit_memory(text.weight_bytes + weight_bytes)
    _try_out(model)
    window = min(_window_of(caches), _window_of(text.caches.make()))
    return DraftModel(
        model=model,
        vocabulary=logits,
        proposable=text.vocabulary,
        weight_bytes=weight_bytes,
        reach=min(window, context_length_of(config)),
        kv_cost=kv_cost(model, CacheMaker(model)),
        notes=_notes(window, text),
    )


def _obstacle(caches: list[Any]) -> str:
    """Say what cannot take tokens back; empty where everything can."""
    for cache in flat(caches):
        if not isinstance(cache, _TRIMMABLE):
            return f"a {type(cache).__name__} cannot take tokens back"
    return ""


def _window_of(caches: list[Any]) -> int:
    """Return how many tokens fit before anything is forgotten."""
    windows = [c.max_size for c in flat(caches) if isinstance(c, RotatingKVCache)]
    return min(windows, default=sys.maxsize)


def _notes(window: int, text: TextModel) -> tuple[str, ...]:
    notes = []
    if window < text.context_length:
        notes.append(
            "draft_path: a RotatingKVCache cannot take tokens back once its window of"
            f" {window} tokens is full; longer texts go on without the draft."
        )
    if any(isinstance(cache, QuantizedCache) for cache in flat(text.caches.make())):
        notes.append(
            "draft_path with kv_bits: an answer may differ from the one without a draft,"
            " by a rounding of keys and values that tips the other way."
        )
    return tuple(notes)


def _refuse_other_tokens(draft: dict[str, int], model: dict[str, int]) -> None:
    """Raise `DraftError` where the two tokenizers do not mean the same."""
    if draft == model:
        return
    differing = draft.items() ^ model.items()
    at = min(number for _, number in differing)
    ours, theirs = _token_at(model, at), _token_at(draft, at)
    raise DraftError(
        "draft_path: the draft model has other tokens than the model "
        f"({len(draft)} and {len(model)}; the first that differs is {at}: "
        f"{theirs} and {ours})."
    )


def _token_at(vocabulary: dict[str, int], at: int) -> str:
    found = [token for token, number in vocabulary.items() if number == at]
    return repr(found[0]) if found else "none"


def _refuse_few_logits(logits: int, text: TextModel) -> None:
    """Raise `DraftError` where the draft gives no logits for some of the tokens.

    It may give others more or fewer of those that pad a vocabulary to a round
    number: models of one family differ in them.
    """
    tokens = 1 + max(_vocabulary_of(text.tokenizer).values(), default=-1)
    if logits < min(tokens, text.vocabulary):
        raise DraftError(
            f"draft_path: the draft model's vocabulary has {logits} entries, "
            f"the model's {text.vocabulary}."
        )


def _vocabulary_of(tokenizer: Any) -> dict[str, int]:
    """Return the numbers of all tokens of mlx-lm's tokenizer."""
    found: dict[str, int] = tokenizer.get_vocab()
    return found


def _logits_of(model: Any) -> int:
    """Return how many logits a model gives; nothing is computed."""
    logits = model(mx.array([[0]]), cache=make_prompt_cache(model))
    return int(logits.shape[-1])


def _try_out(model: Any) -> None:
    """Run the model as drafting will, so that what fails fails at load."""
    caches = make_prompt_cache(model)
    mx.eval(model(mx.array([[0, 0]]), cache=caches))
    for cache in caches:
        cache.trim(1)
    mx.eval(model(mx.array([[0]]), cache=caches))


def _read_json(path: Path) -> dict[str, Any]:
    if not path.exists():
        return {}
    content = json.loads(path.read_text(encoding="utf-8"))
    return content if isinstance(content, dict) else {}
