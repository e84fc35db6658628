"""A load's progress on the wire, and the model that it ends with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from inference.core.models import LoadUpdate
from inference.protocol.catalog import model_body
from inference.protocol.sse import COMMENT, DONE, Event, error_event

if TYPE_CHECKING:
    from collections.abc import Sequence

    from inference.core.catalog import ModelCard
    from inference.core.errors import InferenceError


class LoadWriter:
    """Writes one load as events: how far it is, and the model as it is then."""

    def keep_alive(self) -> bytes:
        """Return a comment."""
        return COMMENT

    def events(self, item: LoadUpdate | ModelCard) -> Sequence[Event]:
        """Return one event."""
        body = (
            progress_body(item) if isinstance(item, LoadUpdate) else changed_body(item)
        )
        return (Event(msgspec.json.encode(body)),)

    def ending(self) -> Sequence[Event]:
        """Return the end."""
        return (DONE,)

    def failed(self, error: InferenceError) -> Sequence[Event]:
        """Return the error; no `[DONE]` follows it."""
        return (error_event(error),)


def progress_body(update: LoadUpdate) -> dict[str, Any]:
    """Return how far a load is."""
    return {
        "object": "model.load.progress",
        "stage": update.stage,
        "done_bytes": update.done_bytes,
        "total_bytes": update.total_bytes,
    }


def changed_body(card: ModelCard) -> dict[str, Any]:
    """Return a model as it is after a load or an unload."""
    return {**model_body(card), "load_s": card.load_s}
