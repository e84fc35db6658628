"""Whether a model reads text only or images too, by its own config."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from mlxsite.startup.errors import StartupError
from mlxsite.startup.model_files import CONFIG

if TYPE_CHECKING:
    from pathlib import Path

TEXT, VISION = "lm", "vlm"


def found_kind(path: Path) -> str:
    """Return `vlm` for a config that has a vision part, else `lm`."""
    try:
        config = json.loads((path / CONFIG).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise StartupError(f"{path / CONFIG} cannot be read: {error}") from None
    return VISION if isinstance(config, dict) and "vision_config" in config else TEXT


def served_kind(asked: str, path: Path) -> str:
    """Return the kind to serve a model as.

    Images are not read by this version: a vision model answers as the text
    model inside it, and asking for more is refused.

    Raises:
        StartupError: vision was asked for.
    """
    if asked == VISION:
        raise StartupError(
            "vision models are not served yet: without --model-type vlm the text "
            "part of one is"
            if found_kind(path) == VISION
            else f"{path} is a text model: it has no vision part"
        )
    return TEXT
