"""Which models make embeddings or scores, by their files, and what can serve them."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

from inference.core.encoders import architecture_named, code_for, is_scorer
from inference.core.models import ENCODER, VISION
from inference.library import configs


def is_embedder(path: Path, config: dict[str, Any]) -> bool:
    """Whether the model makes embeddings rather than text.

    Sentence-transformers leave `modules.json` or a pooling folder; elsewhere the
    architecture is a model without a head for words (`BertModel`, `Qwen3Model`).
    """
    if is_scorer(config):
        return False
    if (path / "modules.json").is_file() or (path / "1_Pooling").is_dir():
        return True
    name = architecture_named(config)
    return name.endswith("Model") and not name.endswith("LMHeadModel")


def is_encoder(path: Path, config: dict[str, Any]) -> bool:
    """Whether the model makes embeddings or scores, and sees no images."""
    is_seeing = configs.kind_of(config) == VISION
    return not is_seeing and (is_scorer(config) or is_embedder(path, config))


def kind_in(path: Path, config: dict[str, Any]) -> str:
    """Return the kind of the model in a folder: `encoder`, `vlm` or `lm`."""
    return ENCODER if is_encoder(path, config) else configs.kind_of(config)


def problem_with_encoder(config: dict[str, Any]) -> str:
    """Return why an encoder cannot be served; empty where it can."""
    named, code = configs.architecture_of(config), code_for(config)
    if not named:
        return "its config.json names no model_type"
    if is_scorer(config) and labels_of(config) != 1:
        return f"it sorts texts by {labels_of(config)} labels, which is not served"
    if not code or not _has_code(code):
        what = "scores" if is_scorer(config) else "embeddings"
        return f"there is no code that makes {what} with its model type {named[:80]!r}"
    return ""


def labels_of(config: dict[str, Any]) -> int:
    """Return how many labels a classifier's config names; 1 where it names none."""
    count, names = config.get("num_labels"), config.get("id2label")
    if isinstance(count, int):
        return count
    return len(names) if isinstance(names, dict) and names else 1


def _has_code(name: str) -> bool:
    """Whether mlx-vlm has code of that name; true where mlx-vlm is not found."""
    spec = find_spec("mlx_vlm")
    places = spec.submodule_search_locations if spec is not None else None
    return not places or (Path(next(iter(places))) / "models" / name).is_dir()
