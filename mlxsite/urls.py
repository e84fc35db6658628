"""The root URLs: the API, then the admin."""

from __future__ import annotations

from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("", include("inference.routing")),
    path("admin/", admin.site.urls),
]
