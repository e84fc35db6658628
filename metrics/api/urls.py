"""Which address of `/metrics` and `/api/` leads where.

Whoever adds a path under `/api/` names it before these: the last one takes the rest.
"""

from __future__ import annotations

from django.urls import path, re_path

from metrics.api.events import EventList
from metrics.api.history import HistorySeries
from metrics.api.models import ModelList
from metrics.api.requests import RequestDetail, RequestList
from metrics.api.rollups import RollupList
from metrics.api.scrape import scrape
from metrics.api.views import UnknownPath

urlpatterns = [
    path("metrics", scrape),
    path("api/requests", RequestList.as_view()),
    path("api/requests/<str:request_id>", RequestDetail.as_view()),
    path("api/history", HistorySeries.as_view()),
    path("api/rollups", RollupList.as_view()),
    path("api/events", EventList.as_view()),
    path("api/models", ModelList.as_view()),
    re_path(r"^api(?:/[\s\S]*)?$", UnknownPath.as_view()),
]
