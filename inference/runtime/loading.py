"""From the words of a load request to a loaded model: found, fetched, loaded."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import msgspec

from inference.core.catalog import ModelCard
from inference.core.errors import (
    DownloadFailedError,
    ForbiddenError,
    InvalidRequestError,
)
from inference.core.models import VISION, LoadStage, LoadUpdate
from inference.core.outcomes import ModelState
from inference.library.configs import read_config, served_kind
from inference.library.encoders import kind_in
from inference.library.errors import LibraryError
from inference.library.hub import HubError, is_hub_id

if TYPE_CHECKING:
    from collections.abc import Callable

    from inference.core.catalog import ModelCatalog
    from inference.core.models import LoadRequest, ModelSource
    from inference.library.hub import DownloadProgress
    from inference.runtime.pool import ModelPool, OnUpdate
    from inference.runtime.registry import ModelRegistry
    from inference.runtime.served import ServedModel


class Fetches(Protocol):
    """Downloads models; two who want the same one share a download."""

    async def download(
        self,
        repo_id: str,
        *,
        on_progress: Callable[[DownloadProgress], None] | None = None,
    ) -> Path:
        """Return the folder of a hub model, fetched where it is not there.

        Raises:
            HubError: the hub does not give it.
        """

    async def close(self) -> None:
        """End the downloads under way; what was fetched stays."""


class ModelLoader:
    """Owns the downloads that somebody waits for."""

    def __init__(
        self,
        *,
        registry: ModelRegistry,
        pool: ModelPool,
        catalog: ModelCatalog,
        fetches: Fetches,
    ) -> None:
        self._registry = registry
        self._pool = pool
        self._catalog = catalog
        self._fetches = fetches
        self._fetching: dict[str, LoadUpdate] = {}

    def fetching_cards(self) -> tuple[ModelCard, ...]:
        """Return a card for each model that is being downloaded."""
        return tuple(
            ModelCard(
                key=name,
                source=name,
                state=ModelState.DOWNLOADING,
                size_bytes=update.total_bytes or None,
                progress=_share(update),
            )
            for name, update in self._fetching.items()
        )

    async def load(
        self, asked: LoadRequest, *, may_download: bool, on_update: OnUpdate
    ) -> ServedModel:
        """Load what was asked for, and keep an entry of it.

        Raises:
            InferenceError: it is not known, may not be fetched, or does not load.
        """
        source = await self._known(asked)
        if source is None:
            await self._fetch(asked.model, may_download, on_update)
            source = await self._catalog.find(asked.model, key=asked.key)
        if source is None:
            raise self._registry.not_found(asked.model)
        source = await asyncio.to_thread(_as_asked, source, asked)
        on_update(LoadUpdate(LoadStage.MAKING_ROOM))
        model = await self._pool.load(source, on_update=on_update)
        await self._catalog.remember(source)
        return model

    async def _known(self, asked: LoadRequest) -> ModelSource | None:
        """Return the source of a model that is on this machine."""
        model = self._registry.get(asked.model)
        if model is None or asked.key not in ("", model.key):
            return await self._catalog.find(asked.model, key=asked.key)
        if not model.is_at_rest:
            return model.source
        # Its settings may have changed since it was loaded last.
        return await self._catalog.find(model.key) or model.source

    async def _fetch(self, name: str, may_download: bool, on_update: OnUpdate) -> None:
        if Path(name).is_absolute():
            raise InvalidRequestError(
                "There is no model in that folder, or it is none of those that models "
                "are taken from: see MODEL_DIRS.",
                param="model",
                code="model_not_found",
            )
        if not is_hub_id(name):
            raise self._registry.not_found(name)
        if not may_download:
            raise ForbiddenError(
                f"The model `{name}` is not on this machine, and this server does not "
                "download for you: see ALLOW_DOWNLOAD.",
                param="model",
                code="download_not_allowed",
            )

        def note(progress: DownloadProgress) -> None:
            update = LoadUpdate(
                LoadStage.DOWNLOADING, progress.done_bytes, progress.total_bytes
            )
            self._fetching[name] = update
            on_update(update)

        self._fetching[name] = LoadUpdate(LoadStage.DOWNLOADING)
        try:
            await self._fetches.download(name, on_progress=note)
        except HubError as error:
            raise DownloadFailedError(str(error), param="model") from None
        finally:
            self._fetching.pop(name, None)


def _as_asked(source: ModelSource, asked: LoadRequest) -> ModelSource:
    """Return the source with what the request says about it.

    Raises:
        InvalidRequestError: images are asked of a text model.
    """
    said = {
        name: value
        for name, value in (
            ("kind", asked.kind or None),
            ("pin", asked.pin),
            ("ttl_s", asked.ttl_s),
        )
        if value is not None
    }
    if not said:
        return source
    options = msgspec.structs.replace(source.options, **said)
    return msgspec.structs.replace(
        source,
        options=options,
        kind=_kind(source, asked) if asked.kind else source.kind,
    )


def _kind(source: ModelSource, asked: LoadRequest) -> str:
    folder = Path(source.path)
    try:
        return served_kind(kind_in(folder, read_config(folder)), asked.kind)
    except LibraryError as error:
        raise InvalidRequestError(
            f"The model `{source.key}` cannot be loaded: {error}.",
            param="model_type",
            code="vision_not_supported"
            if asked.kind == VISION
            else "unsupported_model",
        ) from None


def _share(update: LoadUpdate) -> float | None:
    return update.done_bytes / update.total_bytes if update.total_bytes else None
