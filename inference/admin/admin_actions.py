"""What staff do to models from the admin: on the server's loop, with a bounded wait."""

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

Action = Callable[[], Coroutine[Any, Any, None]]


class Begun(msgspec.Struct, frozen=True):
    """What became of the actions: keys, and why some were refused, by key."""

    done: list[str] = []
    pending: list[str] = []
    refused: dict[str, str] = {}


class AdminActions:
    """Starts actions; keeps, by key, why one failed after the view had answered."""

    def __init__(self, *, patience_s: float = PATIENCE_S) -> None:
        self._patience_s = patience_s
        self.failures: dict[str, str] = {}

    def begin(
        self, app: App, actions: Mapping[str, Action], *, in_order: bool = False
    ) -> Begun:
        """Start one action per key, side by side or one after the other.

        Raises:
            NotInstalledError: no service runs here.
        """
        turns = asyncio.Lock() if in_order else None
        begun = {
            key: app.begin(partial(self._do, key, action, turns))
            for key, action in actions.items()
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

    async def _do(self, key: str, action: Action, turns: asyncio.Lock | None) -> None:
        self.failures.pop(key, None)
        try:
            if turns is None:
                await action()
            else:
                async with turns:
                    await action()
        except InferenceError as error:
            self.failures[key] = error.message
        except Exception:
            logger.exception("An action of staff on %s failed", key)
            self.failures[key] = "It failed; the log says why."


def load(service: ModelService, key: str) -> Action:
    """Return the action of loading a model; it is never downloaded."""

    async def action() -> None:
        asked = LoadRequest(model=key)
        await service.load_by_name(asked, may_download=False, on_update=_unheard)

    return action


def unload(service: ModelService, key: str, *, force: bool = False) -> Action:
    """Return the action of unloading a model, once its requests ended or at once."""

    async def action() -> None:
        await service.unload(key, force=force)

    return action


def release(service: ModelService, key: str) -> Action:
    """Return the action of taking a model out of quarantine."""

    async def action() -> None:
        await service.release(key)

    return action


def pin(service: ModelService, key: str, *, pinned: bool) -> Action:
    """Return the action of pinning a model, where the server has it already."""

    async def action() -> None:
        with suppress(ModelNotFoundError):
            service.pin(key, pinned)

    return action


def _unheard(update: LoadUpdate) -> None:
    """The model's card says how far it is."""


# One per process, like the service.
ADMIN_ACTIONS = AdminActions()
