"""The models found on this machine, by name and by folder."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from inference.core.timing import Clock, SystemClock
from inference.library.errors import LibraryError
from inference.library.files import looks_like_model
from inference.library.local import LocalModel, inspect
from inference.library.places import resolved
from inference.library.words import printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from inference.library.places import LibraryPlace

__all__ = ["Library", "LibraryError", "LocalModel", "inspect"]

# A folder's files are not read again while they look the same.
_Signature = tuple[tuple[str, int, int], ...]
_FILES_COMPARED = 10_000


class Library:
    """Knows the models of its places; may be asked by several threads.

    What it found is kept for `keep_s` seconds.
    """

    def __init__(
        self,
        places: Sequence[LibraryPlace],
        *,
        keep_s: float = 5.0,
        clock: Clock | None = None,
    ) -> None:
        self._places = tuple(places)
        self._keep_s = keep_s
        self._clock = clock or SystemClock()
        self._lock = threading.Lock()
        self._found: tuple[LocalModel, ...] = ()
        self._found_at: float | None = None
        self._inspected: dict[Path, tuple[_Signature, LocalModel]] = {}

    @property
    def places(self) -> tuple[LibraryPlace, ...]:
        """Where it looks."""
        return self._places

    def all(self) -> tuple[LocalModel, ...]:
        """Return every model, broken ones too, place by place and by name.

        Reads files when it has not looked for a while: not for an event loop.
        """
        with self._lock:
            now = self._clock.monotonic()
            if self._found_at is None or now - self._found_at >= self._keep_s:
                self._found = tuple(self._scan())
                self._found_at = self._clock.monotonic()
            return self._found

    def forget(self) -> None:
        """Look again when asked next: something was put there or removed."""
        with self._lock:
            self._found_at = None

    def find(self, name: str) -> LocalModel | None:
        """Return the model of that name, or of that unique last part of a name.

        Where several places have it, the first does whose model can be served.
        """
        models = self.all()
        named = [model for model in models if model.name == name]
        if not named:
            named = [m for m in models if m.name.rpartition("/")[2] == name]
            if len({model.name for model in named}) > 1:
                return None
        sound = (model for model in named if not model.problem)
        return next(sound, named[0] if named else None)

    def at(self, path: str | Path) -> LocalModel:
        """Return the model in a folder of one of the places; links are followed.

        Raises:
            LibraryError: the folder is elsewhere, or no model.
        """
        folder = _folder(path)
        place = next((place for place in self._places if place.holds(folder)), None)
        if place is None:
            raise LibraryError(
                f"{folder} is in none of the folders that models are taken from: "
                "see MODEL_DIRS"
            )
        if not folder.is_dir():
            raise LibraryError(f"there is no folder {folder}, or not any more")
        if not looks_like_model(folder):
            raise LibraryError(
                f"{folder} is not a model: it has no config.json and no weights"
            )
        known = (model for model in self.all() if model.path == str(folder))
        found = next(known, None)
        name = found.name if found is not None else folder.name
        with self._lock:
            return self._inspect(folder, name, place)

    def _scan(self) -> Iterator[LocalModel]:
        listed: set[Path] = set()
        for place in self._places:
            for name, path in place.folders():
                folder = resolved(path)
                if folder in listed:
                    continue
                listed.add(folder)
                if not str(folder).isprintable() or not name.isprintable():
                    yield LocalModel(
                        name=printable(name),
                        path=printable(str(folder)),
                        place=place.label,
                        problem="its name has characters that cannot be shown",
                    )
                elif any(other.holds(folder) for other in self._places):
                    yield self._inspect(folder, name, place)
                else:
                    yield LocalModel(
                        name=name,
                        path=str(folder),
                        place=place.label,
                        problem="it is a link to a folder elsewhere: see MODEL_DIRS",
                    )
        self._inspected = {
            p: kept for p, kept in self._inspected.items() if p in listed
        }

    def _inspect(self, folder: Path, name: str, place: LibraryPlace) -> LocalModel:
        signature = _signature_of(folder)
        kept_signature, kept = self._inspected.get(folder, (None, None))
        if kept is None or signature != kept_signature or kept.name != name:
            kept = inspect(folder, name=name, place=place.label)
            self._inspected[folder] = (signature, kept)
        return kept


def _folder(path: str | Path) -> Path:
    try:
        return resolved(Path(path).expanduser())
    except (RuntimeError, ValueError) as error:  # no such home; a null byte
        raise LibraryError(f"{str(path)[:200]!r} is no folder") from error


def _signature_of(folder: Path) -> _Signature:
    """Return what changes when a file of the folder does."""
    found = []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                try:
                    status = entry.stat()
                except OSError:  # a link to nothing
                    status = entry.stat(follow_symlinks=False)
                found.append((entry.name, status.st_size, status.st_mtime_ns))
                if len(found) == _FILES_COMPARED:
                    break
    except OSError:
        return ()
    return tuple(sorted(found))
