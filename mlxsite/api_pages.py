"""/api/schema and /api/docs: the OpenAPI document for programs and for people."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from django.contrib import admin
from django.contrib.auth.views import redirect_to_login
from django.shortcuts import render
from django.urls import path, reverse
from django.views.decorators.http import require_safe
from rest_framework.response import Response

from inference.core.errors import InferenceError
from inference.runtime.app import NotInstalledError, current_app
from metrics.api.views import ReadView
from mlxsite.openapi import document
from mlxsite.reference import chapters, marked, nouns

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse
    from rest_framework.request import Request


class Schema(ReadView):
    """An OpenAPI document."""

    summary = "This document; /api/docs is its page for people."
    answer = MappingProxyType({"type": "object"})

    def get(self, _request: Request) -> Response:
        """Return it as JSON."""
        return Response(document())


@require_safe
def docs(request: HttpRequest) -> HttpResponse:
    """Show the document to staff, and to whoever may read `/api/`."""
    if not _may_read(request):
        return redirect_to_login(request.get_full_path(), reverse("admin:login"))
    context = {
        **admin.site.each_context(request),
        "title": "API",
        "chapters": list(chapters(document())),
        "nouns": list(nouns(document())),
        "introduction": marked(document()["info"]["description"]),
    }
    return render(request, "api/docs.html", context)


def _may_read(request: HttpRequest) -> bool:
    if request.user.is_active and request.user.is_staff:
        return True
    client_host = str(request.META.get("REMOTE_ADDR") or "")
    try:
        current_app().readers.admit(request.headers, client_host=client_host)
    except (InferenceError, NotInstalledError):
        return False
    return True


urlpatterns = [
    path("api/schema", Schema.as_view()),
    path("api/docs", docs, name="api-docs"),
]
