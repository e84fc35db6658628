"""Served models in the shapes of Ollama's `/api/tags`, `/api/show` and `/api/ps`."""

from __future__ import annotations

from datetime import UTC, datetime
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable

    from inference.core.catalog import ModelCard
    from inference.core.errors import InferenceError

# The version whose reads have these shapes. VS Code asks for 0.6.4 at least.
SPOKEN_VERSION = "0.13.0"
# Clients look for `ARCHITECTURE.context_length` in what they are shown.
ARCHITECTURE = "mlx"
NEVER = "9999-12-31T23:59:59+00:00"
# A client that names no tag may add this one.
USUAL_TAG = ":latest"


def ollama_error_body(error: InferenceError) -> bytes:
    """An error as Ollama tells it: its words, and nothing else."""
    return msgspec.json.encode({"error": str(error)})


def tags_body(cards: Iterable[ModelCard]) -> dict[str, Any]:
    """All models that a request may name."""
    return {"models": [_tag(card) for card in cards]}


def running_body(cards: Iterable[ModelCard]) -> dict[str, Any]:
    """The models that are in memory."""
    return {"models": [_running(card) for card in cards]}


def show_body(card: ModelCard) -> dict[str, Any]:
    """One model: what it can do, and how much it takes."""
    info: dict[str, Any] = {
        "general.architecture": ARCHITECTURE,
        "general.basename": card.key,
    }
    if card.context_length:
        info[f"{ARCHITECTURE}.context_length"] = card.context_length
    return {
        "modelfile": "",
        "parameters": "",
        "template": "",
        "details": _details(),
        "model_info": info,
        "capabilities": _capabilities(card),
        "modified_at": _time(card.created),
    }


def _tag(card: ModelCard) -> dict[str, Any]:
    return {
        **_head(card),
        "modified_at": _time(card.created),
        "size": card.size_bytes or 0,
    }


def _running(card: ModelCard) -> dict[str, Any]:
    size = card.memory_bytes or card.size_bytes or 0
    expires = NEVER
    if card.ttl_s and card.last_used_at:
        expires = _time(card.last_used_at + card.ttl_s)
    return {
        **_head(card),
        "size": size,
        "size_vram": 0 if card.computes_on.startswith("cpu") else size,
        "context_length": card.context_length or 0,
        "expires_at": expires,
    }


def _head(card: ModelCard) -> dict[str, Any]:
    # Which model of this server it is; nobody reads gigabytes to hash them.
    digest = sha256(f"{card.key}\0{card.source}\0{card.size_bytes}".encode())
    return {
        "name": card.key,
        "model": card.key,
        "digest": digest.hexdigest(),
        "details": _details(),
    }


def _details() -> dict[str, Any]:
    return {
        "parent_model": "",
        "format": "safetensors",
        "family": ARCHITECTURE,
        "families": [ARCHITECTURE],
        "parameter_size": "",
        "quantization_level": "",
    }


def _capabilities(card: ModelCard) -> list[str]:
    others = [word for word in card.capabilities if word != "text"]
    return ["completion", *others]


def _time(unix_s: float) -> str:
    return datetime.fromtimestamp(unix_s, UTC).isoformat()
