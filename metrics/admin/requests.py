"""The list of requests, and the page of one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.forms.widgets import Script
from django.http import HttpResponseBadRequest
from django.template.loader import render_to_string
from django.urls import path
from django.utils import timezone
from django.utils.html import format_html

from metrics.admin.changelist import RequestChangeList
from metrics.admin.keys import keys_page
from metrics.admin.read_only import ReadOnly, figure_cell, time_cell
from metrics.admin.request_detail import request_detail
from metrics.exports import ExportFormat, export_response
from metrics.figures import NOTHING, seconds_text
from metrics.models import RequestLog
from metrics.selection import Selection, SelectionError

if TYPE_CHECKING:
    from django.contrib.admin.views.main import ChangeList
    from django.http import HttpRequest, HttpResponse
    from django.http.response import HttpResponseBase
    from django.urls import URLPattern
    from django.utils.safestring import SafeString


@admin.register(RequestLog)
class RequestLogAdmin(ReadOnly):
    """The list of requests, and the detail page of one."""

    list_display = (
        "outcome_chip",
        "started",
        "model_key",
        "what",
        "key",
        "tokens",
        "ttft",
        "rate",
        "duration",
        "why",
    )
    list_display_links = ("started",)
    # Only this order has an index under every filter.
    sortable_by = ()
    ordering = ("-started_at", "-id")
    fields = ("request_id",)
    change_list_template = "admin/metrics/requestlog/change_list.html"
    change_form_template = "admin/metrics/requestlog/change_form.html"

    class Media:
        js = [Script("metrics/requests.js", defer=True)]

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        """Use the list that reads a selection."""
        return RequestChangeList

    def get_urls(self) -> list[URLPattern]:
        """Add the export and the page of keys."""
        views = (("export", self.export), ("keys", self.keys))
        own = [
            path(f"{name}/", self.admin_site.admin_view(view), name=f"metrics_{name}")
            for name, view in views
        ]
        return [*own, *super().get_urls()]

    def export(self, request: HttpRequest) -> HttpResponseBase:
        """Stream the selected requests as a file."""
        self._require_view(request)
        try:
            form = ExportFormat(request.GET.get("format", ""))
            selection = Selection.parse(request.GET)
        except SelectionError as error:
            return HttpResponseBadRequest(f"{error}\n", content_type="text/plain")
        except ValueError:
            known = ", ".join(ExportFormat)
            text = f"format: must be one of {known}\n"
            return HttpResponseBadRequest(text, content_type="text/plain")
        return export_response(selection.apply(RequestLog.objects.all()), form)

    def keys(self, request: HttpRequest) -> HttpResponse:
        """Show what each key was used for."""
        self._require_view(request)
        shared = self.admin_site.each_context(request) | {"opts": self.opts}
        return keys_page(request, shared)

    def _require_view(self, request: HttpRequest) -> None:
        if not self.has_view_permission(request):
            raise PermissionDenied

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        """Add what the record knows of the request to the page."""
        origin = f"{request.scheme}://{request.get_host()}"
        context |= request_detail(context["original"], origin=origin)
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
        return time_cell(row.started_at)

    @admin.display(description="Model", ordering="model")
    def model_key(self, row: RequestLog) -> SafeString:
        """The model that answered, else the one that was asked for."""
        name = row.model or row.model_requested or NOTHING
        return format_html('<span title="{0}">{0}</span>', name)

    @admin.display(description="Kind", ordering="kind")
    def what(self, row: RequestLog) -> str:
        """The kind of generation, else the endpoint."""
        return row.what_text

    @admin.display(description="Key", ordering="key_name")
    def key(self, row: RequestLog) -> SafeString:
        """The name of the key that let it in."""
        return figure_cell(row.key_name or NOTHING)

    @admin.display(description="Tokens")
    def tokens(self, row: RequestLog) -> SafeString:
        """Tokens in and out, with a word where they are not the tokenizer's."""
        if not row.is_estimated:
            return figure_cell(row.tokens_text)
        return format_html("{} <small>estimated</small>", figure_cell(row.tokens_text))

    @admin.display(description="TTFT", ordering="ttft_s")
    def ttft(self, row: RequestLog) -> SafeString:
        """Time to the first token."""
        return figure_cell(row.ttft_text)

    @admin.display(description="tok/s", ordering="tps")
    def rate(self, row: RequestLog) -> SafeString:
        """Tokens per second."""
        return figure_cell(row.tps_text)

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
            return figure_cell(NOTHING)
        return format_html('<span title="{0}">{0}</span>', row.why_text)
