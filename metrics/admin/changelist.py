"""The list of requests: one selection, one page of it, never a count of them all."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from django.contrib import messages
from django.contrib.admin.views.main import ChangeList

from metrics import pagination
from metrics.figures import count_text
from metrics.filters import FilterForm
from metrics.links import history_link
from metrics.pagination import Cursor, CursorError, LimitedPaginator, Page, counted
from metrics.selection import Selection, SelectionError, Window, selection
from metrics.timeline import Timeline, common_scale

if TYPE_CHECKING:
    from datetime import datetime

    from django.db.models import QuerySet
    from django.http import HttpRequest

OLDER, NEWER = "older", "newer"


def link(selection: Selection, **others: object) -> str:
    """Return the address of the list, on its own page, for a selection."""
    return "?" + urlencode(selection.to_params() | others)


class RequestChangeList(ChangeList):
    """Reads the selection, and fetches one page with the bars to one scale."""

    selection: Selection
    is_understood: bool
    horizon: datetime | None
    page: Page

    def get_queryset(
        self, request: HttpRequest, exclude_parameters: Any = None
    ) -> QuerySet[Any]:
        """Select; a parameter that makes no sense is told, and nothing is shown."""
        self.filter_specs, self.has_filters = [], True
        try:
            self.selection = Selection.parse(request.GET)
        except SelectionError as error:
            messages.error(request, f"Nothing is shown. {error}")
            self.selection, self.is_understood = Selection(), False
            self.horizon = None
            return self.root_queryset.none()
        self.is_understood = True
        self.query = self.selection.to_params().get("q", "")
        self.has_active_filters = self.selection != Selection()
        self.horizon = self.selection.horizon(self.root_queryset)
        return self.selection.apply(self.root_queryset, horizon=self.horizon)

    def get_results(self, request: HttpRequest) -> None:
        """Fetch the page, once, and give every row its timeline."""
        self.page = self._page(request)
        scale_s = common_scale(self.page.rows)
        for row in self.page.rows:
            row.timeline = Timeline.of(row, scale_s=scale_s)  # type: ignore[attr-defined]
        self.result_list = self.page.rows
        self.result_count = len(self.page.rows)
        self.full_result_count = None
        self.show_full_result_count = self.show_admin_actions = False
        self.can_show_all = self.multi_page = False
        self.paginator = LimitedPaginator(self.queryset, self.list_per_page)
        self.form = FilterForm(self.selection)

    def _page(self, request: HttpRequest) -> Page:
        size = self.list_per_page
        for name, side in ((OLDER, Page.behind), (NEWER, Page.before)):
            if name not in request.GET:
                continue
            try:
                return side(Cursor.parse(request.GET[name]), self.queryset, size)
            except CursorError:
                messages.error(request, f"“{name}” is not a place in this list.")
        return Page.newest(self.queryset, size)

    @property
    def count_text(self) -> str:
        """How many there are, as far as counting is cheap; else those of this page."""
        is_whole = not (self.page.newer or self.page.older or self.horizon)
        count, most = self.result_count, pagination.COUNT_LIMIT
        if not is_whole and self.selection.is_sifted:
            return f"{count:,} on this page"
        if not is_whole:
            count = counted(self.queryset)
        words = "request" if count == 1 else "requests"
        return f"over {most:,} {words}" if count > most else f"{count:,} {words}"

    @property
    def chips(self) -> list[tuple[str, str]]:
        """Each condition in words, and where the list without it is."""
        return [(chip.text, link(chip.others)) for chip in self.selection.chips()]

    @property
    def newer_link(self) -> str:
        """Where the page with newer rows is, if there is one."""
        place = self.page.newer
        return link(self.selection, newer=place) if place else ""

    @property
    def older_link(self) -> str:
        """Where the page with older rows is, if there is one."""
        place = self.page.older
        return link(self.selection, older=place) if place else ""

    @property
    def beyond_link(self) -> str:
        """Where the search goes on behind the horizon."""
        since, _ = self.selection.window.bounds()
        before = Window(since=since, until=self.horizon)
        return link(replace(self.selection, window=before))

    @property
    def is_sifting_all(self) -> bool:
        """Whether the horizon is that of all requests, not of one model or the like."""
        return self.selection.anchor is None

    @property
    def sifted_text(self) -> str:
        """How many rows were looked at, newest first."""
        return count_text(selection.SIFTED_ROWS)

    def export_link(self, form: str) -> str:
        """Return where these rows are to be had as a file."""
        return "export/" + link(self.selection, format=form)

    @property
    def history_link(self) -> str:
        """Where the charts of these rows are."""
        return history_link(self.selection)

    @property
    def exports(self) -> list[tuple[str, str]]:
        """The files that can be had."""
        if not self.is_understood:
            return []
        names = {"csv": "Export CSV", "jsonl": "JSON lines", "otel": "OpenTelemetry"}
        return [(label, self.export_link(form)) for form, label in names.items()]
