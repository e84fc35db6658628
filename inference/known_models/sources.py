"""What the source of a model means on this machine: a name, a hub id, or a folder."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from huggingface_hub import constants
from msgspec.structs import replace

from inference.library.configs import ADAPTER, NO_DRAFTS
from inference.library.errors import LibraryError
from inference.library.hub import cached, is_hub_id
from inference.library.places import places
from inference.library.scan import Library, inspect

if TYPE_CHECKING:
    from inference.conf import ServerConfig
    from inference.library.scan import LocalModel


def shared_library(config: ServerConfig) -> Library:
    """Return the library of this process, so that all share what it has read."""
    return _library(config.data_dir, config.model_dirs)


@cache
def _library(data_dir: Path, model_dirs: tuple[Path, ...]) -> Library:
    return Library(places(data_dir=data_dir, extra=model_dirs))


class Sources:
    """Finds models by what people write; looks at the disk, so not for the loop."""

    def __init__(self, library: Library) -> None:
        self._library = library

    def all(self) -> tuple[LocalModel, ...]:
        """Return every model of the library."""
        return self._library.all()

    def resolve(self, text: str, *, anywhere: bool = False) -> LocalModel | None:
        """Return what `text` names: a library model, a cached hub id, or a folder.

        `None`: nothing here has that name. The model found may have a problem.
        Folders are those of the library's places, or any with `anywhere`: what
        this machine's operator wrote down.

        Raises:
            LibraryError: it is a folder elsewhere, or no model.
        """
        found = self._library.find(text)
        if found is not None:
            return found
        if is_hub_id(text):
            path = cached(text)
            # The library need not have looked since it was fetched.
            return None if path is None else replace(self._library.at(path), name=text)
        if not is_folder(text):
            return None
        try:
            return self._library.at(text)
        except LibraryError:
            folder = Path(text).expanduser()
            if anywhere and folder.is_dir():
                return inspect(folder)
            raise

    def is_in_cache(self, hub_id: str) -> bool:
        """Whether the hub's cache has anything of a model; costs little."""
        repository = f"models--{hub_id.replace('/', '--')}"
        return (Path(constants.HF_HUB_CACHE).expanduser() / repository).is_dir()

    def named(self, text: str) -> LocalModel | None:
        """Return what a source that somebody wrote down names, if it is there."""
        try:
            return self.resolve(text, anywhere=True)
        except LibraryError:
            return None

    def means(self, text: str, model: LocalModel) -> bool:
        """Whether `text` names this very folder."""
        found = self.named(text)
        return found is not None and found.path == model.path

    def usable(self, text: str) -> LocalModel:
        """Return what `text` names in the library, if nothing but its code is foreign.

        Raises:
            LibraryError: it cannot be loaded, or is not there, and why.
        """
        return sound(self.resolve(text))

    def base_of(self, adapter: LocalModel) -> LocalModel:
        """Return the model that an adapter was made for.

        Raises:
            LibraryError: it is not here, or cannot be loaded.
        """
        try:
            base = self.usable(adapter.base)
        except LibraryError as error:
            raise LibraryError(f"its base model {adapter.base}: {error}") from None
        if base.kind == ADAPTER:
            raise LibraryError(f"its base model {base.name} is an adapter itself")
        return base

    def adapter_at(self, text: str) -> LocalModel:
        """Return the adapter in a folder, or of a name in the library.

        Raises:
            LibraryError: it is none.
        """
        found = self.usable(text)
        if found.kind != ADAPTER:
            raise LibraryError("it is a model, not an adapter")
        return found

    def draft_at(self, text: str) -> LocalModel:
        """Return the model in a folder, or of a name in the library, to guess with.

        Raises:
            LibraryError: it is no whole model, or needs code of its own.
        """
        found = self.usable(text)
        if found.kind in NO_DRAFTS:
            raise LibraryError(f"it is an {found.kind}, not a model that writes")
        if found.foreign_code:
            raise LibraryError("it needs code of its own")
        return found


def sound(model: LocalModel | None) -> LocalModel:
    """Return the model that was looked for, if there is one without a problem.

    Raises:
        LibraryError: there is none, or it cannot be loaded.
    """
    if model is None:
        raise LibraryError("it is not on this machine")
    if model.problem:
        raise LibraryError(model.problem)
    return model


def is_folder(text: str) -> bool:
    """Whether somebody means a folder, and no name."""
    return text.startswith(("/", "~/"))
