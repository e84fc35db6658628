"""Served models in the shape of `GET /v1/models`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    from inference.core.catalog import ModelCard

OWNER = "mlx-server"
# By what a model can do.
_ASKED = {
    "text": ("chat", "completions", "messages", "responses"),
    "embeddings": ("embeddings", "rerank"),
    "rerank": ("rerank",),
}


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
        "kinds": _kinds(card),
        "input_modalities": ["text", *(["image"] if card.kind == "vlm" else [])],
        "dialect": card.dialect or None,
        "context_length": card.context_length,
        # The same by vLLM's name, which clients look for.
        "max_model_len": card.context_length,
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
    """All models.

    Codex fails to read a list without `models`; an entry in it would take the place of
    its own instructions, so there is none, and it goes on with what it knows.
    """
    data = [model_body(card) for card in cards]
    return {"object": "list", "data": data, "models": []}


def _kinds(card: ModelCard) -> tuple[str, ...]:
    """What it can be asked for."""
    return tuple(kind for word in card.capabilities for kind in _ASKED.get(word, ()))
