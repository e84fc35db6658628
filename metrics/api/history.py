"""GET /api/history: the series that the charts draw."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import msgspec
from django.http import HttpResponse
from django.utils import timezone

from metrics.api.views import ReadView
from metrics.history import History, HistoryQuery, read_history
from metrics.history.query import PARAMETERS

if TYPE_CHECKING:
    from rest_framework.request import Request

_NAME = "History"


class HistorySeries(ReadView):
    """One column per series, one entry per point; `null` where the server did not run.

    Times are in seconds. A request belongs to the point that it began in.
    """

    summary = "Requests, tokens, latencies, queue and memory over time."
    staff_permissions = ("metrics.view_requestlog",)
    parameters = PARAMETERS
    answer = MappingProxyType({"$ref": f"#/components/schemas/{_NAME}"})

    def get(self, request: Request) -> HttpResponse:
        """Return the series of a range."""
        now = timezone.now()
        query = HistoryQuery.parse(request.GET, now=now)
        body = msgspec.json.encode(read_history(query, now=now))
        return HttpResponse(body, content_type="application/json")


def history_schemas() -> dict[str, Any]:
    """Return the schema of the answer, and of its parts under names of their own."""
    template = f"#/components/schemas/{_NAME}{{name}}"
    _, parts = msgspec.json.schema_components((History,), ref_template=template)
    whole = parts.pop(_NAME)
    return {_NAME: whole, **{f"{_NAME}{name}": part for name, part in parts.items()}}
