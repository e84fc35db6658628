"""Models of a hub: from the local cache, or downloaded into it."""

from __future__ import annotations

import sys
from pathlib import Path

from mlxsite.startup.errors import StartupError
from mlxsite.startup.model_files import missing_from_model

# Weights, configuration, tokenizer, chat template. No code, no pickles.
PATTERNS = [
    "*.safetensors",
    "*.json",
    "*.jinja",
    "*.txt",
    "*.model",
    "*.tiktoken",
]


def fetch_from_hub(repo_id: str) -> Path:
    """Return the folder of a hub model, downloading it if it is not there yet.

    Raises:
        StartupError: the hub has no such model, or cannot be reached.
    """
    path = _cached(repo_id)
    return path if path is not None else _downloaded(repo_id)


def _cached(repo_id: str) -> Path | None:
    from huggingface_hub import snapshot_download

    try:
        found = Path(
            snapshot_download(repo_id, allow_patterns=PATTERNS, local_files_only=True)
        )
    except (OSError, ValueError):
        return None
    return found if missing_from_model(found) is None else None


def _downloaded(repo_id: str) -> Path:
    from huggingface_hub import snapshot_download

    sys.stderr.write(f"Fetching {repo_id} from the hub\n")
    try:
        path = Path(snapshot_download(repo_id, allow_patterns=PATTERNS))
    except (OSError, ValueError) as error:
        raise StartupError(f"no model {repo_id}: {_explain(error)}") from error
    missing = missing_from_model(path)
    if missing is not None:
        raise StartupError(f"{repo_id} is not an MLX model: {missing} is missing")
    return path


def _explain(error: Exception) -> str:
    """Say in a few words what the hub's long messages mean."""
    from huggingface_hub import errors

    if isinstance(error, errors.GatedRepoError):
        return "its owner gives access on request (log in with `hf auth login`)"
    if isinstance(error, errors.RepositoryNotFoundError):
        return "no such folder here, and the hub does not know it (or it is private)"
    if isinstance(error, errors.LocalEntryNotFoundError):
        return "no such folder here, not in the local cache, and no hub in reach"
    return str(error).strip().partition("\n")[0] or type(error).__name__
