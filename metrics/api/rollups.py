"""GET /api/rollups: sums and histograms per minute, hour or day."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from rest_framework.response import Response

from metrics.api.filters import TableFilters
from metrics.api.pages import after_cursor, page_of
from metrics.api.parameters import CURSOR, LIMIT, ORDER, read_limit
from metrics.api.replies import list_body
from metrics.api.views import ReadView
from metrics.models import Rollup, RollupLevel
from metrics.selection.filters import SUMMED_CHOICES
from metrics.selection.parameters import QueryParameter, read_choice
from metrics.serializers import BOUNDS, RollupSerializer

if TYPE_CHECKING:
    from rest_framework.request import Request

LEVEL = QueryParameter(
    "level",
    "How long a span is.",
    {
        "type": "string",
        "enum": list(RollupLevel.values),
        "default": RollupLevel.HOUR.value,
    },
)
FILTERS = TableFilters("at", SUMMED_CHOICES)
_BOUNDS = {
    "type": "object",
    "description": "Upper bounds of the histograms' buckets in seconds; each has one "
    "count more, for what lies above.",
    "properties": {
        name: {"type": "array", "items": {"type": "number"}} for name in BOUNDS
    },
}


class RollupList(ReadView):
    """One row per span, server run, model, endpoint and key: they add up.

    A request belongs to the span that it began in.
    """

    summary = "Sums and histograms of requests per minute, hour or day."
    staff_permissions = ("metrics.view_requestlog",)
    serializer_class = RollupSerializer
    is_list = True
    answer = MappingProxyType({"bounds": _BOUNDS})
    parameters = (LEVEL, *FILTERS.parameters, LIMIT, CURSOR, ORDER)

    def get(self, request: Request) -> Response:
        """Return a page of rollups, and the bounds of their histograms."""
        query = request.GET
        rollups = Rollup.objects.filter(level=read_choice(query, LEVEL))
        rollups = after_cursor(
            FILTERS.narrowed(rollups, query),
            query,
            column="at",
            oldest_first=read_choice(query, ORDER) == "oldest",
        )
        page = page_of(rollups, column="at", limit=read_limit(query))
        data = RollupSerializer(page.rows, many=True).data
        return Response(list_body(data, page.next_cursor, bounds=BOUNDS))
