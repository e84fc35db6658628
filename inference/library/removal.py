"""Deletes a model from this machine: what that frees, and where it is refused."""

from __future__ import annotations

import fcntl
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from huggingface_hub import constants, scan_cache_dir

from inference.library.errors import LibraryError
from inference.library.places import (
    DATA_FOLDER,
    HUB_CACHE,
    LM_STUDIO,
    repo_folder,
    resolved,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from inference.library.places import LibraryPlace
    from inference.library.scan import LocalModel

REMOVABLE = (HUB_CACHE, LM_STUDIO, DATA_FOLDER)


@dataclass(frozen=True, slots=True)
class Removal:
    """What is to be deleted, and the bytes that frees; `run` does it."""

    folder: Path
    freed_bytes: int
    run: Callable[[], None]


def plan_removal(model: LocalModel, places: Sequence[LibraryPlace]) -> Removal:
    """Return how `model` is deleted, with nothing done yet.

    Raises:
        LibraryError: it lies in a folder of the user's own, or is in use.
    """
    if model.place not in REMOVABLE:
        raise LibraryError(
            f"{model.name} lies in {model.path}, which is in your MODEL_DIRS: "
            "delete that folder yourself"
        )
    if model.place == HUB_CACHE:
        return _from_hub_cache(model)
    roots = [place.root for place in places if place.label == model.place]
    return _from_folder(model, roots)


def _from_folder(model: LocalModel, roots: Iterable[Path]) -> Removal:
    folder = Path(model.path)
    homes = [root for root in map(resolved, roots) if root in folder.parents]
    if not homes:
        raise LibraryError(
            f"{model.name} is a link to {folder}: delete the link yourself"
        )
    if model.place == DATA_FOLDER:
        _refuse_locked(homes[0].glob(".lock"), "a model is just being made there")

    def run() -> None:
        shutil.rmtree(folder)
        publisher = folder.parent
        if publisher != homes[0] and not any(publisher.iterdir()):
            publisher.rmdir()

    return Removal(folder, _bytes_in(folder), run)


def _from_hub_cache(model: LocalModel) -> Removal:
    """Take every revision of the model, by the hub library's own means."""
    folder = repo_folder(Path(model.path))
    cache = Path(constants.HF_HUB_CACHE).expanduser()
    _refuse_locked(
        (cache / ".locks" / folder.name).glob("*.lock"), "it is being fetched"
    )
    found = scan_cache_dir(cache)
    repos = {repo for repo in found.repos if resolved(repo.repo_path) == folder}
    if not repos:
        raise LibraryError(
            f"the hub cache's files of {model.name} are damaged: "
            f"delete {folder} yourself"
        )
    # Only this model's: a revision of the same name in another model stays.
    own = replace(found, repos=frozenset(repos))
    revisions = [each.commit_hash for repo in repos for each in repo.revisions]
    strategy = own.delete_revisions(*revisions)
    return Removal(folder, strategy.expected_freed_size, strategy.execute)


def _refuse_locked(locks: Iterable[Path], why: str) -> None:
    """Refuse while a download or a conversion holds a lock file."""
    for path in locks:
        try:
            with path.open("r+b") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise LibraryError(
                f"another process is at work ({why}): try again later"
            ) from None
        except OSError:
            continue


def _bytes_in(folder: Path) -> int:
    files = (path for path in folder.rglob("*") if not path.is_symlink())
    return sum(path.stat().st_size for path in files if path.is_file())
