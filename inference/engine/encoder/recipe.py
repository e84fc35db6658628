"""How one vector is made of a text's hidden states, as the model's folder says it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import mlx.core as mx

from inference.engine.loading.text_model import ModelFilesError, read_json

if TYPE_CHECKING:
    from pathlib import Path

MODULES = "modules.json"
_POOLING = "1_Pooling"
# What older files of sentence-transformers say, one flag for each way.
_FLAGS = {
    "pooling_mode_cls_token": "cls",
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_max_tokens": "max",
    "pooling_mode_lasttoken": "lasttoken",
    "pooling_mode_mean_sqrt_len_tokens": "mean_sqrt_len_tokens",
    "pooling_mode_weightedmean_tokens": "weightedmean",
}
_POOLINGS = ("cls", "mean", "max", "lasttoken")
_STEPS = ("Transformer", "Pooling", "Dense", "Normalize")


@dataclass(frozen=True, slots=True)
class VectorRecipe:
    """Which hidden states count (`pooling`), and whether vectors have length 1."""

    pooling: str = "mean"
    has_unit_length: bool = True

    def pooled(self, hidden: mx.array, lengths: mx.array) -> mx.array:
        """Return one vector for each row; what was filled up does not count."""
        rows = mx.arange(hidden.shape[0])
        if self.pooling == "cls":
            return hidden[:, 0]
        if self.pooling == "lasttoken":
            return hidden[rows, lengths - 1]
        is_token = (mx.arange(hidden.shape[1])[None, :] < lengths[:, None])[:, :, None]
        if self.pooling == "max":
            return mx.where(is_token, hidden, -mx.inf).max(axis=1)
        return mx.where(is_token, hidden, 0.0).sum(axis=1) / lengths[:, None]


def recipe_of(folder: Path, *, usual: str) -> VectorRecipe:
    """Return the recipe in a folder; `usual` is the pooling where none is named.

    A folder without sentence-transformers' files gets vectors of length 1, as OpenAI's
    are.

    Raises:
        ModelFilesError: it names a step that is not served.
    """
    pooling = _pooling_of(read_json(folder / _POOLING / "config.json"), usual)
    steps = steps_of(folder)
    return VectorRecipe(pooling, has_unit_length=not steps or "Normalize" in steps)


def steps_of(folder: Path) -> list[str]:
    """Return the steps that `modules.json` names; none without that file.

    Raises:
        ModelFilesError: one of them is not served.
    """
    path = folder / MODULES
    if not path.exists():
        return []
    listed: Any = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(listed, list):
        raise ModelFilesError(f"{MODULES} holds no list")
    steps = [str(each.get("type")).rpartition(".")[2] for each in listed]
    for step in steps:
        if step not in _STEPS:
            raise ModelFilesError(f"{MODULES} has a step that is not served: {step}")
    return steps


def _pooling_of(config: dict[str, Any], usual: str) -> str:
    named = config.get("pooling_mode")
    if named is None:
        found = [way for flag, way in _FLAGS.items() if config.get(flag)]
    else:
        found = named if isinstance(named, list) else [named]
    pooling = "+".join(map(str, found)) or usual
    if pooling not in _POOLINGS:
        raise ModelFilesError(
            f"its pooling {pooling!r} is not served: {', '.join(_POOLINGS)} are"
        )
    return pooling
