"""The list of models and the page of one: what they do, and how they are served."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import PermissionDenied
from django.forms.widgets import Script
from django.http import JsonResponse
from django.urls import path

from inference.admin.actions import ModelActions
from inference.admin.cells import (
    FACTS,
    FIGURES,
    LIST_CELLS,
    lines,
    live_cell,
    look_up,
    shown_by_key,
    shown_of,
    state,
)
from inference.admin.forms import ModelEntryForm, local_sources
from inference.admin.live import NOTHING, is_loaded
from inference.conf import ServerConfig
from inference.known_models import file_problem
from inference.models import SAMPLING_FIELDS, ModelEntry

if TYPE_CHECKING:
    from collections.abc import Sequence

    from django.db.models import QuerySet
    from django.http import HttpRequest, HttpResponse
    from django.urls import URLPattern

LIBRARY_SHOWN = 200
ABOUT = ("key", "source")
NAMES = ("aliases",)
PROMPTING = ("system_prompt", "chat_template", ("think_start", "think_end"), "dialect")
LIMITS = (("context_limit", "max_concurrency", "kv_bits"), ("pin", "ttl_s"))
# What the page of a model offers, and in which states.
BUTTONS = (
    ("load", "Load", ("unloaded", "failed")),
    ("unload", "Unload", ("ready", "restarting")),
    ("unload_now", "Unload now", ("loading", "ready", "restarting", "stopping")),
    ("release", "Release", ("quarantined",)),
)
PARTS = (
    "kind",
    "embeddings",
    "adapter_path",
    "draft_path",
    "image_tokens",
    "trust_code",
)


class ModelChangeList(ChangeList):
    """Looks at the service once for a whole page."""

    def get_results(self, request: HttpRequest) -> None:
        """Fetch the page, and what is shown of its models."""
        super().get_results(request)
        self.result_list = list(self.result_list)
        look_up(self.result_list)


@admin.register(ModelEntry)
class ModelEntryAdmin(ModelActions):
    """Entries are made by staff, and by loading a model; staff set how it is served."""

    form = ModelEntryForm
    list_display = ("key", *LIST_CELLS)
    list_per_page = 100
    show_full_result_count = False
    change_list_template = "admin/inference/modelentry/change_list.html"
    change_form_template = "admin/inference/modelentry/change_form.html"

    class Media:
        css = {"all": ["inference/models.css"]}
        js = [Script("inference/models.js", defer=True)]

    # --- what may be done

    def get_readonly_fields(
        self, request: HttpRequest, obj: ModelEntry | None = None
    ) -> Any:
        """A key and its source are chosen once: trust and settings are about them."""
        if obj is None:
            return ()
        return ABOUT

    def get_fieldsets(self, request: HttpRequest, obj: ModelEntry | None = None) -> Any:
        """Group what may be set by what it is about."""
        settings = (
            ("Names", {"fields": NAMES}),
            ("Prompts", {"fields": PROMPTING}),
            ("Limits", {"fields": LIMITS}),
            (
                "Sampling",
                {
                    "fields": (SAMPLING_FIELDS,),
                    "description": "Defaults of requests that set none.",
                },
            ),
            ("Parts and trust", {"fields": PARTS}),
        )
        # What cannot be changed is shown above the form.
        return settings if obj else ((None, {"fields": ABOUT}), *settings)

    def has_delete_permission(
        self, request: HttpRequest, obj: ModelEntry | None = None
    ) -> bool:
        """Return whether it may go: a model in memory is unloaded first."""
        may = super().has_delete_permission(request, obj)
        return may and not (obj is not None and is_loaded(obj.key))

    def get_deleted_objects(
        self, objs: QuerySet[ModelEntry] | Sequence[ModelEntry], request: HttpRequest
    ) -> Any:
        """Say which of them are loaded, rather than that somebody lacks a right."""
        found, counts, lacking, protected = super().get_deleted_objects(objs, request)
        loaded = [entry.key for entry in objs if is_loaded(entry.key)]
        if loaded:
            protected = [*protected, *(f"{key}: unload it first" for key in loaded)]
            lacking = set()
        return found, counts, lacking, protected

    def save_model(
        self, request: HttpRequest, obj: ModelEntry, form: Any, change: bool
    ) -> None:
        """Save; a pin holds at once, the rest from the next load on."""
        super().save_model(request, obj, form, change)
        if "pin" in form.changed_data:
            self.note_pins([obj])
        if set(form.changed_data) - {"pin"} and is_loaded(obj.key):
            self.message_user(
                request,
                f"{obj.key} is in memory as it was loaded: unload and load it for the "
                "new settings.",
                messages.INFO,
            )

    # --- pages

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        """Use the list that knows what the models do."""
        return ModelChangeList

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Add what the library has beside these models."""
        models = local_sources().all()
        listed = set(ModelEntry.objects.values_list("source", flat=True))
        listed |= set(ModelEntry.objects.values_list("key", flat=True))
        others = [m for m in models if listed.isdisjoint((m.name, m.path))]
        context = {
            "title": "Models",
            "library_count": len(models),
            "others": others[:LIBRARY_SHOWN],
            "others_count": len(others),
            "file_problem": file_problem(ServerConfig.from_settings().models_file),
        }
        return super().changelist_view(request, context | (extra_context or {}))

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        """Add what the model does now, and the buttons that fit it."""
        context["show_save_and_add_another"] = False
        entry = context.get("original")
        if entry is not None:
            context |= {"title": entry.key, "now": _now(entry)}
        return super().render_change_form(request, context, *args, **kwargs)

    def get_urls(self) -> list[URLPattern]:
        """Add what the script asks for."""
        view = self.admin_site.admin_view(self.states)
        name = "inference_modelentry_states"
        return [path("states.json", view, name=name), *super().get_urls()]

    def states(self, request: HttpRequest) -> JsonResponse:
        """Return the cells of all models that the service has, by key."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        return JsonResponse(shown_by_key())


def _now(entry: ModelEntry) -> dict[str, Any]:
    found = shown_of(entry)
    return {
        "state": state(entry),
        "why": live_cell("why", "Why")(entry),
        "notes": live_cell("notes", "Notes")(entry),
        "has_why": found["why"] != NOTHING,
        "has_notes": found["notes"] != NOTHING,
        "figures": lines(entry, FIGURES),
        "facts": lines(entry, FACTS),
        "buttons": [
            (action, label, " ".join(states), found["state"] in states)
            for action, label, states in BUTTONS
        ],
    }
