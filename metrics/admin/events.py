"""The list of server events, and one of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin

from metrics.admin.read_only import ReadOnly, time_cell
from metrics.models import ServerEventLog

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from django.http import HttpRequest
    from django.utils.safestring import SafeString

# Events are few: their newest thousand names the models of months.
_ASKED_ROWS = 1000


class EventModelFilter(admin.SimpleListFilter):
    """The model that it happened to."""

    title = parameter_name = "model"
    _SERVER = "none"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Offer the models of the newest events, and always the chosen one."""
        newest = ServerEventLog.objects.order_by("-at", "-id").values("pk")
        rows = ServerEventLog.objects.filter(pk__in=newest[:_ASKED_ROWS]).order_by()
        models = set(rows.values_list("model", flat=True).distinct())
        models |= {request.GET.get("model", "")} - {self._SERVER}
        named = sorted(filter(None, models))
        return [*((name, name) for name in named), (self._SERVER, "the server")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Keep the events of the chosen model."""
        model = self.value()
        if not model:
            return queryset
        return queryset.filter(model="" if model == self._SERVER else model)


@admin.register(ServerEventLog)
class ServerEventLogAdmin(ReadOnly):
    """What happened to the servers and their models."""

    list_display = ("moment", "kind", "model", "detail", "node")
    list_display_links = ("moment",)
    list_filter = (EventModelFilter, "kind")
    search_fields = ("detail", "model")
    search_help_text = "Detail or model"
    ordering = ("-at", "-id")
    fields = ("kind", "at", "node", "boot_id", "model", "detail", "data")

    @admin.display(description="At", ordering="at")
    def moment(self, row: ServerEventLog) -> SafeString:
        """When it happened."""
        return time_cell(row.at)
