"""The live page: an empty frame, which its script fills over `/ws/live`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib import admin
from django.contrib.auth.decorators import permission_required
from django.shortcuts import render

from metrics.staff import CANCEL, WATCH

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse


@permission_required(WATCH, raise_exception=True)
def live_page(request: HttpRequest) -> HttpResponse:
    """Show the frame; what happens on the server comes later, and by itself."""
    context = admin.site.each_context(request) | {
        "title": "Live",
        "may_cancel": request.user.has_perm(CANCEL),
    }
    return render(request, "metrics/live.html", context)
