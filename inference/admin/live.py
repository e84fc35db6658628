"""What the models do at this moment, in the words of the admin's pages."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from django.utils import timezone
from django.utils.timesince import timesince

from inference.core.models import ENCODER, TEXT, VISION
from inference.core.outcomes import ModelState
from inference.library.words import size_in_words
from inference.runtime.app import NotInstalledError, current_app

if TYPE_CHECKING:
    from collections.abc import Callable

    from inference.core.catalog import ModelCard

NOTHING = "\N{EN DASH}"
NOT_SERVED = "not served"
AT_REST = (ModelState.UNLOADED, ModelState.FAILED, ModelState.QUARANTINED)
_JUST_NOW_S = 60

Cards = dict[str, "ModelCard"]
Shown = dict[str, str]


def cards_by_key() -> Cards | None:
    """Return the cards of this process's service; `None`: it serves no models."""
    try:
        return {card.key: card for card in current_app().service.cards()}
    except NotInstalledError:
        return None


def is_loaded(key: str) -> bool:
    """Whether a model is in memory, or on its way into it or out."""
    card = (cards_by_key() or {}).get(key)
    return card is not None and card.state not in AT_REST


def shown(card: ModelCard, *, failure: str = "") -> Shown:
    """Return what the pages show of a model, by the names of their cells.

    `failure` says why what staff began last with it did not work.
    """
    why = card.error or (failure if card.state in AT_REST else "")
    progress = "" if card.progress is None else f"{card.progress * 100:.0f}"
    return {"state": str(card.state), "why": why or NOTHING, "progress": progress} | {
        name: read(card) or NOTHING for name, read in _CELLS.items()
    }


def shown_without_card(*, is_served: bool) -> Shown:
    """Return what the pages show of a model that the service does not have."""
    state = str(ModelState.UNLOADED) if is_served else NOT_SERVED
    return {"state": state, "progress": ""} | dict.fromkeys(
        (name for name in _CELLS if name != "pinned"), NOTHING
    )


def _amount(size_bytes: int | None) -> str:
    return size_in_words(size_bytes) if size_bytes else ""


def _count(card: ModelCard, count: int) -> str:
    return str(count) if count or card.state not in AT_REST else ""


def _ago(at: float | None) -> str:
    if at is None:
        return ""
    moment = datetime.fromtimestamp(at, UTC)
    if (timezone.now() - moment).total_seconds() < _JUST_NOW_S:
        return "just now"
    return f"{timesince(moment, depth=1)} ago"


def _used(card: ModelCard) -> str:
    return "now" if card.in_use else _ago(card.last_used_at)


def _seats(card: ModelCard) -> str:
    return f"{card.active} of {card.max_concurrency}" if _is_ready(card) else ""


def _restarts(card: ModelCard) -> str:
    return str(card.restarts) if card.restarts else ""


def _is_ready(card: ModelCard) -> bool:
    return card.state is ModelState.READY


_KINDS = {TEXT: "text", VISION: "text and images", ENCODER: "encoder"}
_CELLS: dict[str, Callable[[ModelCard], str]] = {
    "memory": lambda card: _amount(card.memory_bytes),
    "in_use": lambda card: _count(card, card.in_use),
    "waiting": lambda card: _count(card, card.waiting),
    "seats": _seats,
    "pinned": lambda card: "pinned" if card.pinned else "",
    "used": _used,
    "size": lambda card: _amount(card.size_bytes),
    "context": lambda card: f"{card.context_length:,}" if card.context_length else "",
    "kind": lambda card: _KINDS[card.kind],
    "capabilities": lambda card: ", ".join(card.capabilities),
    "dialect": lambda card: card.dialect,
    "loaded": lambda card: _ago(card.loaded_at),
    "load_time": lambda card: "" if card.load_s is None else f"{card.load_s:.1f} s",
    "restarts": _restarts,
    "ttl": lambda card: f"{card.ttl_s:g} s without a request" if card.ttl_s else "",
    "notes": lambda card: "; ".join(card.notes),
}
