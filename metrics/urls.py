"""The staff pages under `/admin/`, before the admin's own."""

from __future__ import annotations

from django.contrib import admin
from django.urls import path

from metrics.pages.history import history_data, history_page

urlpatterns = [
    path("history/", admin.site.admin_view(history_page), name="history"),
    path("history/data", admin.site.admin_view(history_data), name="history_data"),
]
