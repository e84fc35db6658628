"""Where a selection of requests is shown: as rows, and as charts."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from django.urls import NoReverseMatch, reverse

from metrics.selection.filters import SUMMED_CHOICES

if TYPE_CHECKING:
    from metrics.selection import Selection


def list_link(selection: Selection) -> str:
    """Return where its rows are."""
    return _with_params(reverse("admin:metrics_requestlog_changelist"), selection)


def history_link(selection: Selection) -> str:
    """Return where the charts of its window and choices are, as far as there are any.

    Empty where the page is not installed.
    """
    summed = {choice.name for choice in SUMMED_CHOICES}
    known = {name: v for name, v in selection.conditions.items() if name in summed}
    try:
        return _with_params(reverse("history"), replace(selection, conditions=known))
    except NoReverseMatch:
        return ""


def _with_params(address: str, selection: Selection) -> str:
    params = selection.to_params()
    return f"{address}?{urlencode(params)}" if params else address
