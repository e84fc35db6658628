"""Served models in the shape of `GET /v1/models`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    from inference.core.catalog import ModelCard

OWNER = "mlx-server"


def model_body(card: ModelCard) -> dict[str, Any]:
    """One model: OpenAI's four keys, then what this server knows beside them."""
    return {
        "id": card.key,
        "object": "model",
        "created": card.created,
        "owned_by": OWNER,
        "aliases": card.aliases,
        "kind": card.kind,
        "state": card.state,
        # A folder of this machine is nobody's business but its staff's.
        "source": None if Path(card.source).is_absolute() else card.source,
        "capabilities": card.capabilities,
        "dialect": card.dialect or None,
        "context_length": card.context_length,
        "size_bytes": card.size_bytes,
        "memory_bytes": card.memory_bytes,
        "computes_on": card.computes_on or None,
        "loaded_at": card.loaded_at,
        "last_used_at": card.last_used_at,
        "pinned": card.pinned,
        "ttl_s": card.ttl_s,
        "progress": card.progress,
        "error": card.error or None,
        "notes": card.notes,
        "max_concurrency": card.max_concurrency,
        "active_requests": card.active,
        "queue_size": card.waiting,
    }


def model_list_body(cards: Iterable[ModelCard]) -> dict[str, Any]:
    """All models."""
    return {"object": "list", "data": [model_body(card) for card in cards]}
