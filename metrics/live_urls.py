"""The live page under `/admin/`, before the admin's own."""

from __future__ import annotations

from django.contrib import admin
from django.urls import path

from metrics.pages.live import live_page

urlpatterns = [path("live/", admin.site.admin_view(live_page), name="live")]
