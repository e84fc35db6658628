"""Where a selection of requests is shown: as rows, and as charts."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlencode

from django.urls import NoReverseMatch, reverse

if TYPE_CHECKING:
    from metrics.selection import Selection


def list_link(selection: Selection) -> str:
    """Return where its rows are."""
    return _with_params(reverse("admin:metrics_requestlog_changelist"), selection)


def history_link(selection: Selection) -> str:
    """Return where its charts are; empty where the page is not installed."""
    try:
        return _with_params(reverse("history"), selection)
    except NoReverseMatch:
        return ""


def _with_params(address: str, selection: Selection) -> str:
    params = selection.to_params()
    return f"{address}?{urlencode(params)}" if params else address
