"""What makes a folder a model: the files that have to be there."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

CONFIG = "config.json"
INDEX = "model.safetensors.index.json"


def missing_from_model(path: Path) -> str | None:
    """Return what the folder lacks to be a model; `None` if it lacks nothing."""
    if not (path / CONFIG).is_file():
        return CONFIG
    if (path / INDEX).is_file():
        return next(
            (name for name in _shards(path) if not (path / name).is_file()), None
        )
    if not any(path.glob("*.safetensors")):
        return "*.safetensors"
    return None


def _shards(path: Path) -> list[str]:
    try:
        weight_map = json.loads((path / INDEX).read_text())["weight_map"]
        return sorted({str(name) for name in weight_map.values()})
    except (ValueError, KeyError, AttributeError):
        return [f"a readable {INDEX}"]
