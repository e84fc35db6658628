"""GET /api/events: what happened to the server and its models."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rest_framework.response import Response

from metrics.api.filters import TableFilters
from metrics.api.pages import after_cursor, page_of
from metrics.api.parameters import CURSOR, LIMIT, ORDER, read_limit
from metrics.api.replies import list_body
from metrics.api.views import ReadView
from metrics.models import ServerEventLog
from metrics.selection import CHOICES
from metrics.selection.filters import ChoiceFilter
from metrics.selection.parameters import read_choice
from metrics.serializers import EventSerializer

if TYPE_CHECKING:
    from rest_framework.request import Request

FILTERS = TableFilters(
    "at", (ChoiceFilter("kind", "kind", "kind"), CHOICES["model"], CHOICES["node"])
)


class EventList(ReadView):
    """Starts and stops, loads, workers that died; newest first."""

    summary = "What happened to the server and its models."
    staff_permissions = ("metrics.view_servereventlog",)
    serializer_class = EventSerializer
    is_list = True
    parameters = (*FILTERS.parameters, LIMIT, CURSOR, ORDER)

    def get(self, request: Request) -> Response:
        """Return a page of events."""
        query = request.GET
        events = after_cursor(
            FILTERS.narrowed(ServerEventLog.objects.all(), query),
            query,
            column="at",
            oldest_first=read_choice(query, ORDER) == "oldest",
        )
        page = page_of(events, column="at", limit=read_limit(query))
        data = EventSerializer(page.rows, many=True).data
        return Response(list_body(data, page.next_cursor))
