"""The root URLs: the APIs, then the admin."""

from __future__ import annotations

from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView

urlpatterns = [
    path("", include("inference.routing")),
    path("", include("mlxsite.api_pages")),
    path("", include("metrics.api.urls")),
    path("admin/", include("metrics.urls")),
    path("admin/", admin.site.urls),
    # Until there is a page of its own to begin on.
    path("", RedirectView.as_view(url="/admin/")),
]
