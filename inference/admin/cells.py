"""The cells that tell what a model does now; a script keeps them up to date."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from django.contrib import admin
from django.utils.html import format_html
from django.utils.safestring import SafeString

from inference.admin.admin_actions import ADMIN_ACTIONS
from inference.admin.live import (
    NOTHING,
    Cards,
    Shown,
    cards_by_key,
    shown,
    shown_without_card,
)
from inference.models import ModelEntry

if TYPE_CHECKING:
    from collections.abc import Iterable

Cell = Callable[[ModelEntry], SafeString]


def shown_of(entry: ModelEntry) -> Shown:
    """Return what is shown of a model; looked up once for all cells of a row."""
    if "shown" not in vars(entry):
        look_up([entry])
    found: Shown = vars(entry)["shown"]
    return found


def look_up(entries: Iterable[ModelEntry]) -> None:
    """Look at the service once for all these rows."""
    cards = cards_by_key()
    for entry in entries:
        vars(entry)["shown"] = _shown_of(entry, cards)


def shown_by_key() -> dict[str, Shown]:
    """Return what is shown of each model that the service has or was asked for.

    Under the empty key: what is shown of any other.
    """
    cards = cards_by_key()
    keys = (*(cards or {}), *ADMIN_ACTIONS.failures)
    found = {key: _shown(key, cards) for key in keys}
    return found | {"": shown_without_card(is_served=cards is not None)}


def _shown(key: str, cards: Cards | None) -> Shown:
    failure = ADMIN_ACTIONS.failures.get(key, "")
    card = (cards or {}).get(key)
    if card is not None:
        return shown(card, failure=failure)
    return shown_without_card(is_served=cards is not None) | {"why": failure or NOTHING}


def _shown_of(entry: ModelEntry, cards: Cards | None) -> Shown:
    pinned = {"pinned": "pinned" if entry.pin else NOTHING}
    return pinned | _shown(entry.key, cards)


def live_cell(name: str, label: str) -> Cell:
    """Return the column or line of one word of what is shown."""

    @admin.display(description=label)
    def cell(entry: ModelEntry) -> SafeString:
        text = shown_of(entry)[name]
        return format_html(
            '<span class="{}" data-live="{}" data-key="{}">{}</span>',
            "none" if text == NOTHING else "",
            name,
            entry.key,
            text,
        )

    cell.__name__ = name
    return cell


@admin.display(description="State")
def state(entry: ModelEntry) -> SafeString:
    """The state as glyph, word and colour; while it loads, how far it is."""
    found = shown_of(entry)
    return format_html(
        '<span class="chip" data-m="{0}" data-live="state" data-key="{1}">{0}</span>'
        ' <progress data-live="progress" data-key="{1}" max="100" value="{2}" '
        'aria-label="loaded" {3}></progress>',
        found["state"],
        entry.key,
        found["progress"] or "0",
        "" if found["progress"] else "hidden",
    )


def _cells(**labels: str) -> tuple[Cell, ...]:
    return tuple(live_cell(name, label) for name, label in labels.items())


LIST_CELLS: tuple[Cell, ...] = (
    state,
    *_cells(
        memory="Memory",
        in_use="In use",
        waiting="Waiting",
        pinned="Pinned",
        used="Last used",
        why="Why",
    ),
)
# The page of one model: large figures, then the rest, as label and cell.
FIGURES = {
    "memory": "Memory",
    "seats": "Seats",
    "in_use": "In use",
    "waiting": "Waiting",
    "used": "Last used",
}
FACTS = {
    "kind": "Kind",
    "size": "Weights",
    "context": "Context",
    "capabilities": "Can do",
    "dialect": "Calls tools as",
    "loaded": "Loaded",
    "load_time": "Load took",
    "restarts": "Restarts",
    "pinned": "Pinned",
    "ttl": "Unloaded after",
}


def lines(entry: ModelEntry, labels: dict[str, str]) -> list[tuple[str, SafeString]]:
    """Return labels and cells for the page of one model."""
    return [(label, live_cell(name, label)(entry)) for name, label in labels.items()]
