"""From the words of MODEL and DEFAULT_MODELS to folders with models in them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from inference.core.models import ModelSource
from inference.library.files import missing_from_model
from inference.library.hub import is_hub_id
from mlxsite.startup.default_model import DEFAULT_KEY, ensure_default_model
from mlxsite.startup.errors import StartupError
from mlxsite.startup.hub import fetch_from_hub

if TYPE_CHECKING:
    from collections.abc import Iterable

KEY = re.compile(r"[\w-][\w.:@/-]{0,199}")


def resolve_models(names: Iterable[str], *, data_dir: Path) -> list[ModelSource]:
    """Find the models in their order; none named is the default one.

    Raises:
        StartupError: one is not there or not complete, or two have one key.
    """
    sources: dict[str, ModelSource] = {}
    for name in list(names) or [""]:
        source = resolve_model(name, data_dir=data_dir)
        if source.key in sources:
            raise StartupError(
                f"two models are named {source.key}: give one another name, as in "
                f"other-name={name}"
            )
        sources[source.key] = source
    return list(sources.values())


def resolve_model(name: str, *, data_dir: Path) -> ModelSource:
    """Find one model, fetching it where that is possible.

    `name` is a folder, a hub id or the default model's name; `key=` before it
    chooses the name that clients use.

    Raises:
        StartupError: there is no such model, or it is not complete.
    """
    key, found, rest = name.partition("=")
    if found and not Path(name).expanduser().is_dir():
        if not KEY.fullmatch(key):
            raise StartupError(f"{key!r} in {name} is no name for a model")
        source = _located(rest, data_dir=data_dir)
        return msgspec.structs.replace(source, key=key)
    return _located(name, data_dir=data_dir)


def _located(name: str, *, data_dir: Path) -> ModelSource:
    if name in {"", DEFAULT_KEY}:
        path = ensure_default_model(data_dir / "models")
        return ModelSource(DEFAULT_KEY, str(path), origin=DEFAULT_KEY)
    folder = Path(name).expanduser()
    if folder.is_dir():
        return _local_model(folder.resolve())
    if is_hub_id(name):
        return ModelSource(name, str(fetch_from_hub(name)), origin=name)
    raise StartupError(
        f"no model at {name}: MODEL is a folder with config.json and *.safetensors, "
        "or a hub id such as mlx-community/Llama-3.2-1B-Instruct-4bit"
    )


def _local_model(path: Path) -> ModelSource:
    if not str(path).isprintable():
        raise StartupError(
            f"{str(path)!r} is no name for a model: it has characters that cannot be "
            "shown"
        )
    missing = missing_from_model(path)
    if missing is not None:
        raise StartupError(f"{path} is not a model: {missing} is missing")
    return ModelSource(path.name, str(path), origin=str(path))
