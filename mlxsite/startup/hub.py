"""A start's model from a hub: from the cache, or downloaded with its progress."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING

from inference.library.download_meter import ProgressLine
from inference.library.hub import HubError, cached, download
from mlxsite.startup.errors import StartupError

if TYPE_CHECKING:
    from pathlib import Path


def fetch_from_hub(repo_id: str) -> Path:
    """Return the folder of a hub model, downloading what is missing of it.

    Not from within a running event loop.

    Raises:
        StartupError: the hub does not give it, or it is no model.
    """
    path = cached(repo_id)
    return path if path is not None else _downloaded(repo_id)


def _downloaded(repo_id: str) -> Path:
    _show(f"Fetching {repo_id} from the hub\n")
    # A loop of its own: which one is this thread's is left alone.
    with (
        ProgressLine(_show, is_terminal=sys.stderr.isatty()) as line,
        asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner,
    ):
        try:
            return runner.run(download(repo_id, on_progress=line.show))
        except HubError as error:
            raise StartupError(f"no such folder here, and {error}") from error


def _show(text: str) -> None:
    sys.stderr.write(text)
    sys.stderr.flush()
