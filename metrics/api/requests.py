"""GET /api/requests: the rows of the record, one by one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rest_framework.response import Response

from inference.core.errors import NotFoundError
from metrics.api.pages import after_cursor, page_of
from metrics.api.parameters import CURSOR, LIMIT, read_limit
from metrics.api.replies import list_body
from metrics.api.views import ReadView
from metrics.models import RequestLog
from metrics.selection import PARAMETERS, Selection
from metrics.serializers import (
    LARGE_COLUMNS,
    RequestDetailSerializer,
    RequestSerializer,
)

if TYPE_CHECKING:
    from rest_framework.request import Request


class RequestList(ReadView):
    """One object per row, without its parameters; newest first.

    Filters beside a span and one choice make the server look at rows one by one; it
    looks at so many for a page, which then may hold few of them, or none, and say
    `has_more` all the same.
    """

    summary = "The requests of the record."
    staff_permissions = ("metrics.view_requestlog",)
    serializer_class = RequestSerializer
    is_list = True
    parameters = (*PARAMETERS, LIMIT, CURSOR)

    def get(self, request: Request) -> Response:
        """Return a page of rows."""
        query = request.GET
        selection = Selection.parse(query)
        rows = after_cursor(
            RequestLog.objects.defer(*LARGE_COLUMNS), query, column="started_at"
        )
        horizon = selection.horizon(rows)
        page = page_of(
            selection.apply(rows, horizon=horizon),
            column="started_at",
            limit=read_limit(query),
            horizon=horizon,
        )
        data = RequestSerializer(page.rows, many=True).data
        return Response(list_body(data, page.next_cursor))


class RequestDetail(ReadView):
    """One request, by the id that its client saw as `x-request-id`."""

    summary = "Everything the record knows of one request."
    serializer_class = RequestDetailSerializer
    staff_permissions = ("metrics.view_requestlog",)

    def get(self, request: Request, request_id: str) -> Response:
        """Return the row."""
        # Not every text may be asked of every database.
        found = RequestLog.objects.filter(request_id=request_id)
        row = found.first() if request_id.isprintable() else None
        if row is None:
            raise NotFoundError(f"There is no request {request_id[:64]!r}.")
        return Response(RequestDetailSerializer(row).data)
