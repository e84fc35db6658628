"""What staff begin with models: on the server's loop, and never waited for long."""

from __future__ import annotations

import asyncio
import concurrent.futures
import logging
from collections.abc import Callable, Coroutine, Mapping
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec

from inference.core.errors import InferenceError, ModelNotFoundError
from inference.core.models import LoadRequest

if TYPE_CHECKING:
    from inference.core.models import LoadUpdate
    from inference.runtime.app import App
    from inference.runtime.service import ModelService

logger = logging.getLogger("inference")

# Views share one thread: a refusal comes within this time, or is told later.
PATIENCE_S = 0.5

Deed = Callable[[], Coroutine[Any, Any, None]]


class Begun(msgspec.Struct, frozen=True):
    """How it stands with what was begun: keys, and the words of refusals by key."""

    done: list[str] = []
    pending: list[str] = []
    refused: dict[str, str] = {}


class Deeds:
    """Begins what staff ask for; keeps why it failed where that came late, by key."""

    def __init__(self, *, patience_s: float = PATIENCE_S) -> None:
        self._patience_s = patience_s
        self.failures: dict[str, str] = {}

    def begin(
        self, app: App, deeds: Mapping[str, Deed], *, in_order: bool = False
    ) -> Begun:
        """Begin one deed per key, side by side or one after the other.

        Raises:
            NotInstalledError: no service runs here.
        """
        turns = asyncio.Lock() if in_order else None
        begun = {
            key: app.begin(partial(self._do, key, deed, turns))
            for key, deed in deeds.items()
        }
        concurrent.futures.wait(begun.values(), timeout=self._patience_s)
        ended = {key for key, future in begun.items() if future.done()}
        # What is told at once need not be told again by the pages.
        refused = {key: self.failures.pop(key) for key in ended & set(self.failures)}
        return Begun(
            done=[key for key in begun if key in ended - set(refused)],
            pending=[key for key in begun if key not in ended],
            refused=refused,
        )

    async def _do(self, key: str, deed: Deed, turns: asyncio.Lock | None) -> None:
        self.failures.pop(key, None)
        try:
            if turns is None:
                await deed()
            else:
                async with turns:
                    await deed()
        except InferenceError as error:
            self.failures[key] = error.message
        except Exception:
            logger.exception("What staff began with %s failed", key)
            self.failures[key] = "It failed; the log says why."


def load(service: ModelService, key: str) -> Deed:
    """Return the deed of loading a model; it is never downloaded."""

    async def deed() -> None:
        asked = LoadRequest(model=key)
        await service.load_by_name(asked, may_download=False, on_update=_unheard)

    return deed


def unload(service: ModelService, key: str, *, force: bool = False) -> Deed:
    """Return the deed of unloading a model, once its requests ended or at once."""

    async def deed() -> None:
        await service.unload(key, force=force)

    return deed


def release(service: ModelService, key: str) -> Deed:
    """Return the deed of taking a model out of quarantine."""

    async def deed() -> None:
        await service.release(key)

    return deed


def pin(service: ModelService, key: str, *, pinned: bool) -> Deed:
    """Return the deed of pinning a model, where the server has it already."""

    async def deed() -> None:
        with suppress(ModelNotFoundError):
            service.pin(key, pinned)

    return deed


def _unheard(update: LoadUpdate) -> None:
    """The model's card says how far it is."""


# One per process, like the service.
DEEDS = Deeds()
