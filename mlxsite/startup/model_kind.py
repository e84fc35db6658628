"""Whether a model reads text only or images too, by its own config."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inference.library.configs import TEXT, VISION, kind_of, read_config
from inference.library.errors import LibraryError
from mlxsite.startup.errors import StartupError

if TYPE_CHECKING:
    from pathlib import Path


def found_kind(path: Path) -> str:
    """Return `vlm` for a config that has a vision part, else `lm`.

    Raises:
        StartupError: the config cannot be read.
    """
    try:
        return kind_of(read_config(path))
    except LibraryError as error:
        raise StartupError(f"{path} is not a model: {error}") from None


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
