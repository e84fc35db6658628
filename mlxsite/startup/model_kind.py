"""What kind of model a folder holds: by its own config, unless told."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from inference.library.configs import read_config, served_kind
from inference.library.encoders import kind_in
from inference.library.errors import LibraryError
from mlxsite.startup.errors import StartupError

if TYPE_CHECKING:
    from inference.core.models import ModelSource


def with_kind(source: ModelSource, asked: str) -> ModelSource:
    """Return the source with the kind it is served as; `asked` may be empty.

    Raises:
        StartupError: its config cannot be read, or it cannot be served so.
    """
    folder = Path(source.path)
    try:
        found = kind_in(folder, read_config(folder))
    except LibraryError as error:
        raise StartupError(f"{source.path} is not a model: {error}") from None
    try:
        kind = served_kind(found, asked)
    except LibraryError as error:
        raise StartupError(
            f"{source.path} cannot be of kind {asked}: {error}"
        ) from None
    options = msgspec.structs.replace(source.options, kind=asked)
    return msgspec.structs.replace(source, kind=kind, options=options)
