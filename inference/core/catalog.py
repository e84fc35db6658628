"""What may be known about the models and the queue from outside: frozen views."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from inference.core.outcomes import ModelState

if TYPE_CHECKING:
    from inference.core.models import ModelSource


class ModelCard(msgspec.Struct, frozen=True, kw_only=True):
    """One served model as `GET /v1/models` and the admin show it.

    `key` is the name a client uses; `source` the directory or hub id it came
    from. Sizes in bytes, times of day in Unix seconds, `context_length` in tokens.
    `size_bytes` is what its weights take, `memory_bytes` what its worker holds now;
    `in_use` counts requests that hold it; `progress` of a load is 0 to 1.
    Requests may also name it by one of its `aliases`.
    `computes_on` is the worker's device, on a CPU with the BLAS.
    """

    key: str
    source: str
    kind: str = "lm"
    state: ModelState = ModelState.UNLOADED
    created: int = 0
    context_length: int | None = None
    size_bytes: int | None = None
    memory_bytes: int | None = None
    loaded_at: float | None = None
    last_used_at: float | None = None
    load_s: float | None = None
    max_concurrency: int = 0
    active: int = 0
    waiting: int = 0
    restarts: int = 0
    error: str = ""
    defaults: dict[str, Any] = {}
    capabilities: tuple[str, ...] = ()
    dialect: str = ""
    notes: tuple[str, ...] = ()
    pinned: bool = False
    ttl_s: float | None = None
    in_use: int = 0
    progress: float | None = None
    computes_on: str = ""
    aliases: tuple[str, ...] = ()


class QueueSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """The admission queues at one moment, over all models.

    `active` counts seats taken, `waiting` requests without a seat.
    """

    running: bool
    waiting: int
    max_waiting: int
    active: int
    max_concurrency: int
    models: tuple[ModelCard, ...] = ()


class ModelCatalog(Protocol):
    """Knows models that are not loaded: entries, the models file, the library."""

    async def find(self, name: str, *, key: str = "") -> ModelSource | None:
        """Return what `name` means, with the settings of its key; `None`: unknown.

        A name is an entry's or a file's key, a library model's, a hub id that is
        in the local cache, or a folder in one of the library's places. `key` is
        the name to serve it under, its own where empty.
        """

    async def cards(self) -> tuple[ModelCard, ...]:
        """Return a card for each model that is known, unloaded as far as it knows."""

    async def remember(self, source: ModelSource) -> None:
        """Keep an entry of a model that was loaded, for staff to see and to edit."""


class NoCatalog:
    """Knows nothing but what is loaded."""

    async def find(self, name: str, *, key: str = "") -> ModelSource | None:
        """Return nothing."""
        return None

    async def cards(self) -> tuple[ModelCard, ...]:
        """Return nothing."""
        return ()

    async def remember(self, source: ModelSource) -> None:
        """Forget it."""
