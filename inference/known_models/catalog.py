"""The models that can be loaded, by every name they have."""

from __future__ import annotations

import asyncio
import logging
from functools import partial
from typing import TYPE_CHECKING, Any

from channels.db import DatabaseSyncToAsync
from django.db import DatabaseError
from msgspec.structs import replace

from inference.core.errors import (
    InferenceError,
    InvalidRequestError,
    ModelUnavailableError,
)
from inference.core.limits import DEFAULT_LIMITS
from inference.core.timing import Clock, SystemClock
from inference.known_models.composing import Composer, refusal
from inference.known_models.listing import known_card, library_card
from inference.known_models.settings import Settings, problem_with
from inference.known_models.sources import Sources, is_folder, sound
from inference.library.errors import LibraryError
from inference.library.hub import is_hub_id
from inference.library.models_file import ModelsFile, read_models_file
from inference.models import ModelEntry

if TYPE_CHECKING:
    from collections.abc import Callable

    from inference.conf import ServerConfig
    from inference.core.catalog import ModelCard
    from inference.core.models import ModelSource
    from inference.known_models.settings import Known
    from inference.library.scan import Library, LocalModel

logger = logging.getLogger("inference")

UNKNOWN_FOR_S = 2.0
UNKNOWN_MAX = 1024
KEY_CHARS = DEFAULT_LIMITS.model_key_chars
SOURCE_CHARS = DEFAULT_LIMITS.model_path_chars
# Each call in a thread of its own, its connection closed behind it.
_in_thread = partial(DatabaseSyncToAsync, thread_sensitive=False)


class KnownModels:
    """Implements `core.catalog.ModelCatalog`; database and disk are read in threads."""

    def __init__(
        self, config: ServerConfig, library: Library, *, clock: Clock | None = None
    ) -> None:
        self._path = config.models_file
        self._file = ModelsFile(config.models_file, check=problem_with)
        self._settings = Settings(self._file)
        self._sources = Sources(library)
        self._composer = Composer(self._sources)
        self._clock = clock or SystemClock()
        self._unknown: dict[str, float] = {}

    def check_file(self) -> None:
        """Read the file of models as a start does.

        Raises:
            ModelsFileError: one line naming file, key and field.
        """
        read_models_file(self._path, check=problem_with)

    # --- the catalog

    async def find(self, name: str, *, key: str = "") -> ModelSource | None:
        """Return what `name` means, with the settings of its key; `None`: unknown.

        Raises:
            InvalidRequestError: it is known and cannot be served, or a bad `key`.
            ModelUnavailableError: the database cannot be read.
        """
        if key and not _is_name(key, KEY_CHARS):
            raise InvalidRequestError(
                f"Invalid 'key': expected up to {KEY_CHARS} characters in one line.",
                param="key",
            )
        if not _is_name(name, SOURCE_CHARS):
            return None
        if await self._was_unknown(name):
            return None
        source: ModelSource | None = await self._read(self._find, name, key)
        if source is None:
            self._note_unknown(name)
        return source

    async def cards(self) -> tuple[ModelCard, ...]:
        """Return a card for each model that is known: entries, file, library.

        Raises:
            ModelUnavailableError: the database cannot be read.
        """
        cards: tuple[ModelCard, ...] = await self._read(self._cards)
        return cards

    async def remember(self, source: ModelSource) -> None:
        """Keep an entry of a model that was loaded; what staff set stays."""
        try:
            await _in_thread(self._remember)(source)
        except DatabaseError as error:
            logger.warning("No entry was made of %s: %s", source.key, error)

    async def _read(self, read: Callable[..., Any], *words: str) -> Any:
        try:
            return await _in_thread(read)(*words)
        except DatabaseError as error:
            raise ModelUnavailableError(
                f"The settings of models cannot be read now: {error}"
            ) from error

    # --- names that lead nowhere

    async def _was_unknown(self, name: str) -> bool:
        """Whether nobody knew the name a moment ago, and nobody fetched it since."""
        until = self._unknown.get(name)
        if until is None or self._clock.monotonic() >= until:
            return False
        if not is_hub_id(name):
            return True
        return not await asyncio.to_thread(self._sources.is_in_cache, name)

    def _note_unknown(self, name: str) -> None:
        if len(self._unknown) >= UNKNOWN_MAX:
            self._unknown.clear()
        self._unknown[name] = self._clock.monotonic() + UNKNOWN_FOR_S

    # --- in a thread

    def _find(self, name: str, key: str) -> ModelSource | None:
        named = self._settings.of(name)
        model = self._model_of(name, named)
        if model is None:
            named = self._settings.by_alias(name)
            if named is None:
                return None
            return self._find(named.key, key)
        key = key or (name if named is not None else self._own_key(model))
        keyed = named if key == name else self._settings.of(key)
        said = [known for known in (keyed, named) if known is not None]
        found = self._composer.source(key, model, said, _origin(name, named, model))
        aliases = tuple(filter(partial(self._is_free, key), found.options.aliases))
        return replace(found, options=replace(found.options, aliases=aliases))

    def _is_free(self, key: str, alias: str) -> bool:
        """Whether no other model answers to an alias of `key`."""
        is_name = self._sources.named(alias) is not None
        return not is_name and not self._settings.owner_of(alias, but=key)

    def _model_of(self, name: str, named: Known | None) -> LocalModel | None:
        if named is not None:
            try:
                return sound(self._sources.resolve(named.source, anywhere=True))
            except LibraryError as error:
                raise refusal(name, f"{named.source}: {error}") from None
        try:
            return self._sources.resolve(name)
        except LibraryError:
            return None  # a folder that is not for everybody to name

    def _own_key(self, model: LocalModel) -> str:
        """Return the model's name, or its folder where that name is another's."""
        known = self._settings.of(model.name)
        owner = self._sources.named(known.source if known is not None else model.name)
        is_taken = owner is not None and owner.path != model.path
        return model.path if is_taken else model.name

    def _cards(self) -> tuple[ModelCard, ...]:
        cards, covered = [], set()
        for known in self._settings.all():
            card, path = known_card(known, self._sources)
            cards.append(card)
            covered |= {known.key, path}
        for model in self._sources.all():
            if covered.isdisjoint((model.name, model.path)):
                cards.append(library_card(model, self._sources))
                covered.add(model.name)
        return tuple(cards)

    def _remember(self, source: ModelSource) -> None:
        key, text = source.key, source.origin or source.path
        if not _is_name(key, KEY_CHARS) or not _is_name(text, SOURCE_CHARS):
            logger.warning("No entry was made of %.80r: its name is too long", key)
            return
        entry = ModelEntry.objects.filter(key=key).first()
        is_placed_by_file = self._settings.is_in_file(key)
        if self._means_already(key, source):
            # However it was named this time, what is written down stays.
            text = entry.source if entry is not None else ""
            text = text or ("" if is_placed_by_file else source.origin or source.path)
        elif is_placed_by_file:
            return
        ModelEntry.objects.entry_for(key, source=text)

    def _means_already(self, key: str, source: ModelSource) -> bool:
        """Whether what is written down about `key` leads to the same model."""
        try:
            found = self._find(key, "")
        except InferenceError:
            return False
        return found is not None and _identity(found) == _identity(source)


def _identity(source: ModelSource) -> tuple[str, str]:
    return source.path, source.options.adapter_path


def _is_name(text: str, chars: int) -> bool:
    return 0 < len(text) <= chars and text.isprintable() and text == text.strip()


def _origin(name: str, named: Known | None, model: LocalModel) -> str:
    """Return by what the model is found again."""
    if named is not None:
        return named.source
    return name if is_folder(name) else model.name
