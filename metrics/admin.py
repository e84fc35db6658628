"""The record in the admin: to be read, filtered and searched, never changed."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.html import format_html
from django.utils.text import capfirst

from metrics.figures import NOTHING, seconds_text
from metrics.filters import (
    FinishReasonFilter,
    KindFilter,
    ModelFilter,
    ReasonFilter,
    StartedWithin,
    StructureFilter,
    ToolCallFilter,
    WarningFilter,
)
from metrics.models import RequestLog, ServerEventLog
from metrics.pagination import LimitedPaginator
from metrics.timeline import Timeline, common_scale

if TYPE_CHECKING:
    from datetime import datetime

    from django.db.models import QuerySet
    from django.http import HttpRequest, HttpResponse
    from django.utils.safestring import SafeString

    AdminBase = admin.ModelAdmin[Any]
else:
    AdminBase = admin.ModelAdmin

_REQUEST_ID = re.compile(r"req-[0-9a-f]{32}")


def _figure(text: str) -> SafeString:
    return format_html(
        '<span class="{}">{}</span>', "none" if text == NOTHING else "", text
    )


class ReadOnly(AdminBase):
    """Rows that anyone with the view permission may read and nobody may touch."""

    empty_value_display = NOTHING
    list_per_page = 50
    paginator = LimitedPaginator
    show_facets = admin.ShowFacets.NEVER
    show_full_result_count = False

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Call the page by what it lists."""
        title = {"title": capfirst(self.opts.verbose_name_plural)}
        return super().changelist_view(request, title | (extra_context or {}))

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody adds a row by hand."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody changes a row."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody deletes a row by hand."""
        return False


class RequestChangeList(ChangeList):
    """Draws the bars of one page to one scale."""

    def get_results(self, request: HttpRequest) -> None:
        """Fetch the page, once, and give every row its timeline."""
        super().get_results(request)
        rows = list(self.result_list)
        scale_s = common_scale(rows)
        for row in rows:
            row.timeline = Timeline.of(row, scale_s=scale_s)
        self.result_list = rows


@admin.register(RequestLog)
class RequestLogAdmin(ReadOnly):
    """The list of requests, and the story of one."""

    list_display = (
        "outcome_chip",
        "started",
        "model_key",
        "what",
        "tokens",
        "ttft",
        "rate",
        "duration",
        "why",
    )
    list_display_links = ("started",)
    list_filter = (
        StartedWithin,
        "outcome",
        ModelFilter,
        KindFilter,
        FinishReasonFilter,
        ReasonFilter,
        StructureFilter,
        ToolCallFilter,
        WarningFilter,
    )
    search_fields = ("request_id", "error")
    search_help_text = "Request id or error text"
    ordering = ("-started_at", "-id")
    fields = ("request_id",)
    change_form_template = "admin/metrics/requestlog/change_form.html"

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        """Use the list with bars."""
        return RequestChangeList

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[RequestLog], search_term: str
    ) -> tuple[QuerySet[RequestLog], bool]:
        """Look a whole request id up by its index instead of searching for it."""
        if _REQUEST_ID.fullmatch(search_term.strip()):
            return queryset.filter(request_id=search_term.strip()), False
        return super().get_search_results(request, queryset, search_term)

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        """Add the request's timeline to the page."""
        row = context["original"]
        context |= {"title": row.request_id, "timeline": Timeline.of(row)}
        return super().render_change_form(request, context, *args, **kwargs)

    @admin.display(description="Outcome", ordering="outcome")
    def outcome_chip(self, row: RequestLog) -> SafeString:
        """The outcome as glyph, word and colour."""
        return format_html(
            '<span class="chip" data-o="{}">{}</span>',
            row.outcome,
            row.get_outcome_display(),
        )

    @admin.display(description="Started", ordering="started_at")
    def started(self, row: RequestLog) -> SafeString:
        """When it started: the time, before today with the date."""
        return _time(row.started_at)

    @admin.display(description="Model", ordering="model")
    def model_key(self, row: RequestLog) -> SafeString:
        """The model that answered, else the one that was asked for."""
        name = row.model or row.model_requested or NOTHING
        return format_html('<span title="{0}">{0}</span>', name)

    @admin.display(description="Kind", ordering="kind")
    def what(self, row: RequestLog) -> str:
        """The kind of generation, else the endpoint."""
        return row.what_text

    @admin.display(description="Tokens")
    def tokens(self, row: RequestLog) -> SafeString:
        """Tokens in and out."""
        return _figure(row.tokens_text)

    @admin.display(description="TTFT", ordering="ttft_s")
    def ttft(self, row: RequestLog) -> SafeString:
        """Time to the first token."""
        return _figure(row.ttft_text)

    @admin.display(description="tok/s", ordering="tps")
    def rate(self, row: RequestLog) -> SafeString:
        """Tokens per second."""
        return _figure(row.tps_text)

    @admin.display(description="Duration", ordering="total_s")
    def duration(self, row: Any) -> str:
        """How long it took or has run so far, with the bar of its phases."""
        text = row.duration_text
        if row.is_running:
            text = seconds_text((timezone.now() - row.started_at).total_seconds())
        context = {"timeline": row.timeline, "text": text}
        return render_to_string("metrics/duration.html", context)

    @admin.display(description="Why")
    def why(self, row: RequestLog) -> SafeString:
        """The finish reason, or the reason and error text."""
        if not row.why_text:
            return _figure(NOTHING)
        return format_html('<span title="{0}">{0}</span>', row.why_text)


@admin.register(ServerEventLog)
class ServerEventLogAdmin(ReadOnly):
    """What happened to the servers and their models."""

    list_display = ("moment", "kind", "model", "detail", "node")
    list_display_links = ("moment",)
    list_filter = ("kind",)
    search_fields = ("detail",)
    ordering = ("-at", "-id")
    fields = ("kind", "at", "node", "boot_id", "model", "detail", "data")

    @admin.display(description="At", ordering="at")
    def moment(self, row: ServerEventLog) -> SafeString:
        """When it happened."""
        return _time(row.at)


def _time(at: datetime) -> SafeString:
    local = timezone.localtime(at)
    is_today = local.date() == timezone.localdate()
    return format_html(
        '<time datetime="{}">{}</time>',
        at.isoformat(),
        local.strftime("%H:%M:%S" if is_today else "%d %b %H:%M:%S"),
    )
