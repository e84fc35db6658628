"""The root URLs: the APIs, the admin, and the pages that begin."""

from __future__ import annotations

from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("", include("inference.routing")),
    path("", include("mlxsite.api_pages")),
    path("", include("metrics.api.urls")),
    path("", include("mlxsite.pages.login")),
    path("admin/", include("metrics.urls")),
    path("admin/", admin.site.urls),
    path("", include("mlxsite.pages.views")),
]
