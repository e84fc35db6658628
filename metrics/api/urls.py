"""Which address of `/metrics` and `/api/` leads where."""

from __future__ import annotations

from django.urls import path

from metrics.api.scrape import scrape

urlpatterns = [
    path("metrics", scrape),
]
