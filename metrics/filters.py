"""Filters of the request list: cheap ones, whose choices need no whole-table scan."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from django.contrib import admin
from django.db.models import Q

from inference.core.outcomes import FinishReason, RequestKind
from metrics.models import RequestLog
from metrics.models.requests import STRUCTURES, RequestQuerySet

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from django.http import HttpRequest

HOURS = {"1": "Last hour", "24": "Last 24 hours", "168": "Last 7 days"} | {
    "720": "Last 30 days"
}


class StartedWithin(admin.SimpleListFilter):
    """Requests of the last hour, day, week or month."""

    title = "time"
    parameter_name = "hours"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Offer the four windows."""
        return list(HOURS.items())

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Keep what started within the window."""
        hours = self.value()
        if hours not in HOURS:
            return queryset
        assert isinstance(queryset, RequestQuerySet)
        return queryset.window(hours=float(hours))


class ColumnFilter(admin.SimpleListFilter):
    """One value of one column; "none" stands for the empty one."""

    column: ClassVar[str]
    empty_label: ClassVar[str] = "none"
    _EMPTY = "none"

    def values(self) -> list[str]:
        """Return the values to choose from."""
        return RequestLog.objects.recent_values(self.column)

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Offer the values, and always the one that is chosen."""
        values = [value for value in self.values() if value]
        chosen = request.GET.get(self.column, "")
        if chosen not in ("", self._EMPTY, *values):
            values.append(chosen)
        choices = [(value, value.replace("_", " ")) for value in values]
        return [*choices, (self._EMPTY, self.empty_label)]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Keep rows with the chosen value."""
        value = self.value()
        if value is None:
            return queryset
        wanted = "" if value == self._EMPTY else value
        return queryset.filter(Q((self.column, wanted)))


class ModelFilter(ColumnFilter):
    """The model that answered."""

    title = parameter_name = column = "model"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Offer model keys as they are written."""
        offered = super().lookups(request, model_admin)
        return [(value, value) for value, _ in offered]


class KindFilter(ColumnFilter):
    """The kind of generation."""

    title = parameter_name = column = "kind"
    empty_label = "other"

    def values(self) -> list[str]:
        """All kinds, whether they occurred or not."""
        return list(RequestKind)


class FinishReasonFilter(ColumnFilter):
    """Why decoding ended."""

    title = "finish reason"
    parameter_name = column = "finish_reason"

    def values(self) -> list[str]:
        """All finish reasons, whether they occurred or not."""
        return list(FinishReason)


class ReasonFilter(ColumnFilter):
    """Why a request did not finish."""

    title = parameter_name = column = "reason"


class StructureFilter(ColumnFilter):
    """What the answer had to look like."""

    title = "structure"
    parameter_name = column = "structured"
    empty_label = "free"

    def values(self) -> list[str]:
        """All structures, whether they occurred or not."""
        return [value for value, _ in STRUCTURES]


class PresenceFilter(admin.SimpleListFilter):
    """Whether a column holds something; `nothing` is its value where it does not."""

    column: ClassVar[str]
    nothing: ClassVar[object]

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Offer both."""
        return [("yes", "yes"), ("no", "no")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Keep rows with something, or those with nothing."""
        is_empty = Q((self.column, self.nothing))
        match self.value():
            case "yes":
                return queryset.filter(~is_empty)
            case "no":
                return queryset.filter(is_empty)
        return queryset


class ToolCallFilter(PresenceFilter):
    """Whether the model made tool calls."""

    title = "tool calls"
    parameter_name = column = "tool_calls"
    nothing = 0


class WarningFilter(PresenceFilter):
    """Whether something was not done to the letter."""

    title = parameter_name = column = "warnings"
    nothing: ClassVar[list[str]] = []
