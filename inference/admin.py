"""The admin's page of models: their entries, and what their workers do now."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.utils.html import format_html
from django.utils.timesince import timesince

from inference.models import SAMPLING_FIELDS, ModelEntry
from inference.runtime.app import NotInstalledError, current_app

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse

    from inference.core.catalog import ModelCard

    _EntryAdmin = admin.ModelAdmin[ModelEntry]
else:
    _EntryAdmin = admin.ModelAdmin

UNKNOWN = "-"
NOW_FIELDS = (
    "state",
    "error",
    "seats",
    "waiting",
    "memory",
    "context",
    "loaded",
    "restarts",
)
MB = 1_000_000


def _card_of(entry: ModelEntry) -> ModelCard | None:
    """Return what the service in this process knows of a model, if there is one."""
    try:
        cards = current_app().service.cards()
    except NotInstalledError:
        return None
    return next((card for card in cards if card.key == entry.key), None)


@admin.register(ModelEntry)
class ModelEntryAdmin(_EntryAdmin):
    """Entries come from starting a server with a model; staff set their defaults."""

    list_display = (
        "key",
        "state",
        "kind",
        "memory",
        "context",
        "seats",
        "waiting",
        "loaded",
        "restarts",
    )
    readonly_fields = ("key", "source", "kind", *NOW_FIELDS, "created_at", "updated_at")
    fieldsets = (
        (None, {"fields": ("key", "source", "kind")}),
        (
            "Now",
            {"fields": NOW_FIELDS},
        ),
        (
            "Defaults for requests that do not say",
            {
                "fields": SAMPLING_FIELDS,
                "description": "Empty: the model's own. They apply from the next "
                "start of the server on.",
            },
        ),
    )

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Entries come from serving a model, not from a form."""
        return False

    def has_delete_permission(
        self, request: HttpRequest, obj: ModelEntry | None = None
    ) -> bool:
        """The next start with the model would make the entry again."""
        return False

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Call the page by what it shows."""
        return super().changelist_view(
            request, {"title": "Models", **(extra_context or {})}
        )

    @admin.display(description="State")
    def state(self, entry: ModelEntry) -> str:
        """Return the worker's state as a word."""
        card = _card_of(entry)
        state = card.state if card is not None else "not served"
        return format_html('<span class="state state-{}">{}</span>', state, state)

    @admin.display(description="Why")
    def error(self, entry: ModelEntry) -> str:
        """Return why the model cannot answer, if it cannot."""
        return _of(entry, lambda card: card.error)

    @admin.display(description="Memory")
    def memory(self, entry: ModelEntry) -> str:
        """Return the worker's memory for arrays."""
        return _of(entry, lambda card: _megabytes(card.memory_bytes))

    @admin.display(description="Context")
    def context(self, entry: ModelEntry) -> str:
        """Return the context length in tokens."""
        return _of(entry, lambda card: card.context_length)

    @admin.display(description="Seats")
    def seats(self, entry: ModelEntry) -> str:
        """Return how many seats are taken, of how many."""
        return _of(entry, lambda card: f"{card.active} of {card.max_concurrency}")

    @admin.display(description="Waiting")
    def waiting(self, entry: ModelEntry) -> str:
        """Return how many requests wait for a seat."""
        return _of(entry, lambda card: str(card.waiting))

    @admin.display(description="Loaded")
    def loaded(self, entry: ModelEntry) -> str:
        """Return how long the present worker has held the model."""
        return _of(entry, lambda card: _ago(card.loaded_at))

    @admin.display(description="Restarts")
    def restarts(self, entry: ModelEntry) -> str:
        """Return how often the worker died since the server's start."""
        return _of(entry, lambda card: str(card.restarts))


def _of(entry: ModelEntry, read: Any) -> str:
    card = _card_of(entry)
    value = read(card) if card is not None else None
    return str(value) if value else UNKNOWN


def _megabytes(size_bytes: int | None) -> str | None:
    return f"{size_bytes / MB:,.0f} MB" if size_bytes else None


def _ago(at: float | None) -> str | None:
    return f"{timesince(datetime.fromtimestamp(at, UTC))} ago" if at else None
