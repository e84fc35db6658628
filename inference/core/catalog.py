"""What may be known about the models and the queue from outside: frozen views."""

from __future__ import annotations

from typing import Any

import msgspec

from inference.core.outcomes import ModelState


class ModelCard(msgspec.Struct, frozen=True, kw_only=True):
    """One served model as `GET /v1/models` and the admin show it.

    `key` is the name a client uses; `source` the directory or hub id it came
    from. Sizes in bytes, times of day in Unix seconds, `context_length` in tokens.
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
