"""What a download will bring: the files of one commit, judged by what the hub says."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING

from huggingface_hub import HfApi, constants
from huggingface_hub.file_download import repo_folder_name
from huggingface_hub.utils import (  # type: ignore[attr-defined]  # no `as` there
    filter_repo_objects,
)

from inference.library.files import (
    ADAPTER_CONFIG,
    ADAPTER_WEIGHTS,
    CONFIG,
    OTHER_WEIGHTS,
    WEIGHTS,
)
from inference.library.hub_blobs import TIMEOUT_S, Blob, size_on_disk
from inference.library.hub_errors import UnfetchableError
from inference.library.hub_reports import PATTERNS, DownloadProgress
from inference.library.words import size_in_words

if TYPE_CHECKING:
    from huggingface_hub.hf_api import RepoSibling

FILES_LIMIT = 20_000
SPARE_DISK_BYTES = 256_000_000  # a full disk stops more than a download
COMMIT = re.compile(r"[0-9a-f]{40}")
REVISION = re.compile(r"[\w-][\w.-]*(/[\w-][\w.-]*)*", re.ASCII)


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be there in the end: one commit's files, and where they go."""

    repo_id: str
    commit: str
    files: tuple[Blob, ...]

    @property
    def folder(self) -> Path:
        """The repository's own folder in the cache."""
        name = repo_folder_name(repo_id=self.repo_id, repo_type="model")
        return Path(constants.HF_HUB_CACHE) / name

    @property
    def blobs(self) -> Path:
        """Where the contents lie, by digest."""
        return self.folder / "blobs"

    @property
    def locks(self) -> Path:
        """Where huggingface_hub keeps the locks of these contents."""
        return Path(constants.HF_HUB_CACHE) / ".locks" / self.folder.name

    def progress(self) -> DownloadProgress:
        """Count what is on the disk."""
        there = size_on_disk(self.blobs)
        sizes = {file.digest: file.size_bytes for file in self.files if file.digest}
        done = sum(min(size, there.get(digest, 0)) for digest, size in sizes.items())
        return DownloadProgress(done, sum(sizes.values()))


def make_plan(repo_id: str, revision: str) -> Plan:
    """Ask the hub what the model is made of.

    Raises:
        UnfetchableError: by what the hub says, it is no model that can be loaded.
        HfHubHTTPError, httpx2.TransportError: the hub does not say.
    """
    if not REVISION.fullmatch(revision) or ".." in revision:
        raise UnfetchableError(f"{revision!r} is not the name of a revision")
    info = HfApi().model_info(
        repo_id, revision=revision, files_metadata=True, timeout=TIMEOUT_S
    )
    files = info.siblings or []
    if len(files) > FILES_LIMIT:
        raise UnfetchableError(f"{repo_id} has more files than a model has")
    problem = _problem_with_names([file.rfilename for file in files])
    if problem:
        raise UnfetchableError(f"{repo_id} is not an MLX model: {problem}")
    if not COMMIT.fullmatch(info.sha or ""):
        raise UnfetchableError(f"the hub gives {repo_id} no readable commit")
    chosen = filter_repo_objects(
        files, allow_patterns=PATTERNS, key=lambda file: file.rfilename
    )
    return Plan(repo_id, str(info.sha), tuple(map(_blob, chosen)))


def _problem_with_names(names: list[str]) -> str:
    """Say why a repository cannot be a model, by the names of its files alone."""
    if {ADAPTER_CONFIG, ADAPTER_WEIGHTS} <= set(names) and CONFIG not in names:
        return ""
    has_weights = any(_is_at_top(name, WEIGHTS) for name in names)
    other = [n for n in names if any(fnmatch(n, pattern) for pattern in OTHER_WEIGHTS)]
    if other and not has_weights:
        return _words_for(sorted(other))
    if CONFIG not in names:
        return f"{CONFIG} is missing"
    return "" if has_weights else f"{WEIGHTS} is missing"


def _is_at_top(name: str, pattern: str) -> bool:
    return "/" not in name and fnmatch(name, pattern)


def _words_for(other: list[str]) -> str:
    more = f" and {len(other) - 1} more" if len(other) > 1 else ""
    words = f"only safetensors are loaded, and it has {other[0]}{more}"
    if other[0].endswith(".gguf"):
        return f"{words}: `mlx-server import` makes a model of a GGUF file"
    return words


def _blob(file: RepoSibling) -> Blob:
    """Take the hub's words for one file; bounded, for they become paths and sums."""
    size, digest = file.size, file.blob_id
    if file.lfs is not None:
        size, digest = file.lfs.size, file.lfs.sha256
    if not isinstance(size, int) or size < 0:
        size = 0  # unknown: huggingface_hub finds out
    if not isinstance(digest, str) or not re.fullmatch(r"[0-9a-f]{40,64}", digest):
        digest = ""
    return Blob(file.rfilename, digest, size)


def ensure_room(plan: Plan) -> None:
    """Raise UnfetchableError where the disk has no room for what is missing."""
    progress = plan.progress()
    needed = progress.total_bytes - progress.done_bytes
    place = Path(constants.HF_HUB_CACHE)
    there = next(folder for folder in (place, *place.parents) if folder.is_dir())
    free = shutil.disk_usage(there).free
    if needed and needed + SPARE_DISK_BYTES > free:
        raise UnfetchableError(
            f"{plan.repo_id} does not fit on the disk: {size_in_words(needed)} are to "
            f"be fetched, and {size_in_words(free)} are free in {place}"
        )
