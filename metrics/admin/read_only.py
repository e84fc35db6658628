"""What all pages of the record share: nobody changes it, and times look alike."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.utils import timezone
from django.utils.html import format_html
from django.utils.text import capfirst

from metrics.figures import NOTHING
from metrics.pagination import LimitedPaginator

if TYPE_CHECKING:
    from datetime import datetime

    from django.http import HttpRequest, HttpResponse
    from django.utils.safestring import SafeString

    AdminBase = admin.ModelAdmin[Any]
else:
    AdminBase = admin.ModelAdmin


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


def time_cell(at: datetime) -> SafeString:
    """Write a time of day, before today with the date."""
    local = timezone.localtime(at)
    is_today = local.date() == timezone.localdate()
    return format_html(
        '<time datetime="{}">{}</time>',
        at.isoformat(),
        local.strftime("%H:%M:%S" if is_today else "%d %b %H:%M:%S"),
    )


def figure_cell(text: str) -> SafeString:
    """Write a figure; where there is none it stands back."""
    return format_html(
        '<span class="{}">{}</span>', "none" if text == NOTHING else "", text
    )
