"""GET /api/events: what happened to the server and its models."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rest_framework.response import Response

from metrics.api.filters import Filters
from metrics.api.pages import page_of
from metrics.api.parameters import PAGING
from metrics.api.replies import list_body
from metrics.api.views import ReadView
from metrics.models import ServerEventLog
from metrics.serializers import EventSerializer

if TYPE_CHECKING:
    from rest_framework.request import Request

FILTERS = Filters("at", {"kind": "kind", "model": "model", "node": "node"})


class EventList(ReadView):
    """Starts and stops, loads, workers that died; newest first."""

    summary = "What happened to the server and its models."
    staff_permissions = ("metrics.view_servereventlog",)
    parameters = (*FILTERS.parameters, *PAGING)

    def get(self, request: Request) -> Response:
        """Return a page of events."""
        events = FILTERS.narrowed(ServerEventLog.objects.all(), request.GET)
        page = page_of(events, request.GET, column="at")
        data = EventSerializer(page.rows, many=True).data
        return Response(list_body(data, page.next_cursor))
