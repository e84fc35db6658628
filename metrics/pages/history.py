"""The history page and its data.

The page is empty of figures: its script asks for them, and again while the range
ends now.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from inference.core.errors import InvalidRequestError
from metrics.history import HistoryQuery, read_history
from metrics.history.query import DEFAULT_RANGE, RANGES
from metrics.history.steps import MOST_POINTS, STEPS_S

if TYPE_CHECKING:
    from django.http import HttpRequest

PERMISSION = "metrics.view_requestlog"


@require_safe
def history_page(request: HttpRequest) -> HttpResponse:
    """Show the page."""
    _check(request)
    context = admin.site.each_context(request) | {
        "title": "History",
        "ranges": [(name, f"{name[:-1]} {name[-1]}") for name in RANGES],
        "default_range": DEFAULT_RANGE,
        "steps": STEPS_S,
        "most_points": MOST_POINTS,
    }
    return render(request, "metrics/history.html", context)


@never_cache
@require_safe
def history_data(request: HttpRequest) -> HttpResponse:
    """Return the series of a range as JSON; 400 with the parameter for nonsense."""
    _check(request)
    now = timezone.now()
    try:
        query = HistoryQuery.parse(request.GET, now=now)
    except InvalidRequestError as error:
        body = {"error": {"message": error.message, "param": error.param}}
        return JsonResponse(body, status=400)
    history = msgspec.json.encode(read_history(query, now=now))
    return HttpResponse(history, content_type="application/json")


def _check(request: HttpRequest) -> None:
    if not request.user.has_perm(PERMISSION):
        raise PermissionDenied
