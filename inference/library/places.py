"""Where models lie on this machine, and which folders there may be models."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from huggingface_hub import constants

from inference.library.files import looks_like_model
from inference.library.machine import computes_on_cpu

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

HUB_CACHE, LM_STUDIO, DATA_FOLDER = "hub cache", "LM Studio", "data folder"

# The model that is served when none is named, and the folders it is made into.
DEFAULT_MODEL = "SmolLM2-135M-Instruct"
FLOAT32, QUANTIZED = "float32", "quantized"

# No more folders than this are looked at in one folder, whatever lies there.
FOLDER_LIMIT = 5000
_REF_LIMIT_BYTES = 200
_REVISION = re.compile(r"[0-9A-Za-z_-]{1,100}")
_REPO = "models--"


class Layout(Enum):
    """How the models lie in a place."""

    HUB = "models--org--name/snapshots/revision"
    FLAT = "name"
    NESTED = "org/name"
    ANY = "the folder itself, name or org/name"


@dataclass(frozen=True, slots=True)
class LibraryPlace:
    """A folder that models are looked for in; `label` is what people call it."""

    label: str
    root: Path
    layout: Layout

    def folders(self) -> Iterator[tuple[str, Path]]:
        """Yield the name and the folder of what may be a model.

        A place that is not there, or cannot be read, has none.
        """
        if self.layout is Layout.HUB:
            yield from _hub_folders(self.root)
        elif self.layout is Layout.FLAT:
            yield from _flat_folders(self.root)
        elif self.layout is Layout.NESTED:
            yield from _nested_folders(self.root)
        else:
            yield from _any_folders(self.root)

    def holds(self, folder: Path) -> bool:
        """Whether a folder, its links resolved, lies in this place."""
        root = resolved(self.root)
        return folder == root or root in folder.parents


def places(*, data_dir: Path, extra: Sequence[Path] = ()) -> tuple[LibraryPlace, ...]:
    """Return where models are looked for, in the order in which a name is found.

    `extra` are folders of the user's own: models, or folders that hold models one
    or two levels deep.
    """
    return (
        LibraryPlace(HUB_CACHE, Path(constants.HF_HUB_CACHE).expanduser(), Layout.HUB),
        *(LibraryPlace(LM_STUDIO, root, Layout.NESTED) for root in _lm_studio_roots()),
        LibraryPlace(DATA_FOLDER, data_dir / "models", Layout.FLAT),
        *(LibraryPlace(str(root), root, Layout.ANY) for root in extra),
    )


def resolved(path: Path) -> Path:
    """Return the path without links; as it is where it goes round in circles."""
    try:
        return path.resolve()
    except (OSError, RuntimeError):
        return path.absolute()


def repo_folder(snapshot: Path) -> Path:
    """Return the hub cache's folder of the model that a snapshot belongs to."""
    return snapshot.parents[1]


def _lm_studio_roots() -> tuple[Path, ...]:
    try:
        home = Path.home()
    except RuntimeError:  # a user without a home
        return ()
    return (home / ".lmstudio" / "models", home / ".cache" / "lm-studio" / "models")


def _hub_folders(root: Path) -> Iterator[tuple[str, Path]]:
    for repo in _subfolders(root):
        snapshot = _snapshot_of(repo) if repo.name.startswith(_REPO) else None
        if snapshot is not None and looks_like_model(snapshot):
            yield repo.name.removeprefix(_REPO).replace("--", "/"), snapshot


def _flat_folders(root: Path) -> Iterator[tuple[str, Path]]:
    found = [folder for folder in _subfolders(root) if looks_like_model(folder)]
    for folder in sorted(found, key=_preference):
        yield _own_name(folder.name), folder


def _nested_folders(root: Path) -> Iterator[tuple[str, Path]]:
    for publisher in _subfolders(root):
        for folder in _subfolders(publisher):
            if looks_like_model(folder):
                yield f"{publisher.name}/{folder.name}", folder


def _any_folders(root: Path) -> Iterator[tuple[str, Path]]:
    # A stray config.json does not hide the models around it.
    if looks_like_model(root) and any(root.glob("*.safetensors")):
        yield resolved(root).name, root
        return
    for folder in _subfolders(root):
        if looks_like_model(folder):
            yield folder.name, folder
            continue
        for inner in _subfolders(folder):
            if looks_like_model(inner):
                yield f"{folder.name}/{inner.name}", inner


def _snapshot_of(repo: Path) -> Path | None:
    """Return the snapshot that `main` stands at, else the newest."""
    snapshots = repo / "snapshots"
    revision = _main_of(repo)
    if revision and (snapshots / revision).is_dir():
        return snapshots / revision
    return max(_subfolders(snapshots), key=_modified, default=None)


def _main_of(repo: Path) -> str:
    try:
        with (repo / "refs" / "main").open("rb") as file:
            text = file.read(_REF_LIMIT_BYTES).decode("ascii").strip()
    except (OSError, ValueError):
        return ""
    return text if _REVISION.fullmatch(text) else ""


def _subfolders(root: Path) -> list[Path]:
    """Return the folders in a folder by name, hidden ones apart."""
    try:
        entries = islice(root.iterdir(), FOLDER_LIMIT)
        return sorted(
            entry
            for entry in entries
            if not entry.name.startswith(".") and entry.is_dir()
        )
    except OSError:
        return []


def _own_name(folder: str) -> str:
    """Return the name of the default model for either of its folders."""
    variants = (f"{DEFAULT_MODEL}-{FLOAT32}", f"{DEFAULT_MODEL}-{QUANTIZED}")
    return DEFAULT_MODEL if folder in variants else folder


def _preference(folder: Path) -> tuple[str, bool]:
    """Put the variant of the default model that is quick here before the other."""
    quick = FLOAT32 if computes_on_cpu() else QUANTIZED
    return _own_name(folder.name), not folder.name.endswith(quick)


def _modified(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0
