"""A look at a model's files before a worker is asked to load them."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from inference.library.configs import read_config
from inference.library.errors import LibraryError
from inference.library.files import problem_with_files, weight_files
from inference.library.machine import computes_on_cpu
from inference.library.sizes import check_sizes
from inference.library.weights import measure_weights

if TYPE_CHECKING:
    from inference.core.models import ModelSource


async def look_at(source: ModelSource) -> ModelSource:
    """Return the source with what its weights will take; reads headers only.

    Raises:
        LibraryError: the folder is not, or no longer, a whole model.
    """
    return await asyncio.to_thread(_looked_at, source)


def _looked_at(source: ModelSource) -> ModelSource:
    path = Path(source.path)
    parts = (path, *map(Path, filter(None, _parts_of(source))))
    gone = next((part for part in parts if not part.is_dir()), None)
    if gone is not None and not source.problem:
        raise LibraryError(f"its folder {gone} is not there any more")
    try:
        problem = source.problem or problem_with_files(path)
    except OSError as error:
        raise LibraryError(f"{path} cannot be read: {error.strerror}") from None
    if problem:
        raise LibraryError(problem)
    sizes = measure_weights(weight_files(path), on_cpu=computes_on_cpu())
    check_sizes(read_config(path), sizes.shapes)
    estimate = max(source.estimated_bytes, sizes.loaded_bytes)
    return msgspec.structs.replace(source, estimated_bytes=estimate)


def _parts_of(source: ModelSource) -> tuple[str, str]:
    return source.options.adapter_path, source.options.draft_path
