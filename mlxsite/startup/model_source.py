"""From the words of MODEL to a folder with a model in it."""

from __future__ import annotations

import re
from pathlib import Path

from inference.runtime.config import ModelSource
from mlxsite.startup.default_model import DEFAULT_KEY, ensure_default_model
from mlxsite.startup.errors import StartupError
from mlxsite.startup.hub import fetch_from_hub
from mlxsite.startup.model_files import missing_from_model

HUB_ID = re.compile(r"[\w-][\w.-]*/[\w-][\w.-]*")


def resolve_model(model: str, *, data_dir: Path) -> ModelSource:
    """Find the model, fetching it where that is possible.

    Raises:
        StartupError: there is no such model, or it is not complete.
    """
    if model in {"", DEFAULT_KEY}:
        return ModelSource(DEFAULT_KEY, ensure_default_model(data_dir / "models"))
    path = Path(model).expanduser()
    if path.is_dir():
        return _local_model(path.resolve())
    if HUB_ID.fullmatch(model):
        return ModelSource(model, fetch_from_hub(model))
    raise StartupError(
        f"no model at {model}: MODEL is a folder with config.json and *.safetensors, "
        "or a hub id such as mlx-community/Llama-3.2-1B-Instruct-4bit"
    )


def _local_model(path: Path) -> ModelSource:
    missing = missing_from_model(path)
    if missing is not None:
        raise StartupError(f"{path} is not a model: {missing} is missing")
    return ModelSource(path.name, path)
