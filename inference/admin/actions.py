"""What staff can have done with the models they ticked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib import admin, messages

from inference.admin import admin_actions
from inference.admin.admin_actions import ADMIN_ACTIONS
from inference.runtime.app import NotInstalledError, current_app

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from django.db.models import QuerySet
    from django.http import HttpRequest

    from inference.admin.admin_actions import Action
    from inference.models import ModelEntry
    from inference.runtime.service import ModelService

    EntryAdmin = admin.ModelAdmin[ModelEntry]
    Entries = QuerySet[ModelEntry]
else:
    EntryAdmin = admin.ModelAdmin


class ModelActions(EntryAdmin):
    """Begins each at once and says so; what is refused at once is said too."""

    actions = ("load", "unload", "unload_now", "release", "pin", "unpin")

    @admin.action(description="Load", permissions=["change"])
    def load(self, request: HttpRequest, queryset: Entries) -> None:
        """Load the models, one after the other."""
        self._begin(
            request,
            queryset,
            admin_actions.load,
            said=("Loading:", "Loaded"),
            in_order=True,
        )

    @admin.action(
        description="Unload, once their requests have ended", permissions=["change"]
    )
    def unload(self, request: HttpRequest, queryset: Entries) -> None:
        """Unload the models, each when nobody uses it any more."""
        said = ("Unloading, once its requests have ended:", "Unloaded")
        self._begin(request, queryset, admin_actions.unload, said=said)

    @admin.action(
        description="Unload now, ending their requests", permissions=["change"]
    )
    def unload_now(self, request: HttpRequest, queryset: Entries) -> None:
        """Unload the models and end what they are answering."""

        def by_force(service: ModelService, key: str) -> Action:
            return admin_actions.unload(service, key, force=True)

        self._begin(request, queryset, by_force, said=("Unloading:", "Unloaded"))

    @admin.action(description="Release from quarantine", permissions=["change"])
    def release(self, request: HttpRequest, queryset: Entries) -> None:
        """Load models again that were given up."""
        said = ("Released, and loading:", "Released and loaded")
        self._begin(request, queryset, admin_actions.release, said=said)

    @admin.action(description="Pin", permissions=["change"])
    def pin(self, request: HttpRequest, queryset: Entries) -> None:
        """Keep the models in memory once they are there."""
        self._pin(request, queryset, pinned=True)

    @admin.action(description="Unpin", permissions=["change"])
    def unpin(self, request: HttpRequest, queryset: Entries) -> None:
        """Let the models be unloaded to make room."""
        self._pin(request, queryset, pinned=False)

    def _pin(self, request: HttpRequest, queryset: Entries, *, pinned: bool) -> None:
        entries = list(queryset)
        for entry in entries:
            entry.pin = pinned
            entry.save(update_fields=("pin", "updated_at"))
        word = "pinned" if pinned else "unpinned"
        names = ", ".join(entry.key for entry in entries)
        self.note_pins(entries)
        for entry in entries:
            self.log_change(request, entry, word.capitalize())
        self.message_user(request, f"{word.capitalize()}: {names}.", messages.SUCCESS)

    def note_pins(self, entries: Iterable[ModelEntry]) -> None:
        """Tell the running service what the entries say about pins."""
        try:
            app = current_app()
            ADMIN_ACTIONS.begin(
                app,
                {
                    entry.key: admin_actions.pin(
                        app.service, entry.key, pinned=bool(entry.pin)
                    )
                    for entry in entries
                },
            )
        except NotInstalledError:
            pass  # It holds from the next start on.

    def _begin(
        self,
        request: HttpRequest,
        queryset: Entries,
        action: Callable[[ModelService, str], Action],
        *,
        said: tuple[str, str],
        in_order: bool = False,
    ) -> None:
        entries = {entry.key: entry for entry in queryset}
        try:
            app = current_app()
            begun = ADMIN_ACTIONS.begin(
                app,
                {key: action(app.service, key) for key in entries},
                in_order=in_order,
            )
        except NotInstalledError as error:
            self.message_user(request, str(error), messages.ERROR)
            return
        beginning, end = said
        if begun.pending:
            names = ", ".join(begun.pending)
            self.message_user(request, f"{beginning} {names}.", messages.INFO)
        if begun.done:
            names = ", ".join(begun.done)
            self.message_user(request, f"{end}: {names}.", messages.SUCCESS)
        for key, why in begun.refused.items():
            words = why if key in why else f"Not done with {key}: {why}"
            self.message_user(request, words, messages.ERROR)
        for key in (*begun.pending, *begun.done):
            self.log_change(request, entries[key], f"{beginning.rstrip(':')}.")
