"""GET /api/requests: the rows of the record, one by one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rest_framework.response import Response

from inference.core.errors import NotFoundError
from metrics.api.filters import Filters
from metrics.api.pages import page_of
from metrics.api.parameters import PAGING
from metrics.api.replies import list_body
from metrics.api.views import ReadView
from metrics.models import RequestLog
from metrics.serializers import (
    LARGE_COLUMNS,
    RequestDetailSerializer,
    RequestSerializer,
)

if TYPE_CHECKING:
    from rest_framework.request import Request

FILTERS = Filters(
    "started_at",
    {
        "outcome": "outcome",
        "reason": "reason",
        "model": "model",
        "endpoint": "endpoint",
        "key": "key_name",
        "kind": "kind",
        "finish_reason": "finish_reason",
        "user": "user",
        "session": "session_id",
        "node": "node",
    },
)


class RequestList(ReadView):
    """One object per row, without its parameters; newest first unless told."""

    summary = "The requests of the record."
    staff_permissions = ("metrics.view_requestlog",)
    parameters = (*FILTERS.parameters, *PAGING)

    def get(self, request: Request) -> Response:
        """Return a page of rows."""
        rows = RequestLog.objects.defer(*LARGE_COLUMNS)
        page = page_of(
            FILTERS.narrowed(rows, request.GET), request.GET, column="started_at"
        )
        data = RequestSerializer(page.rows, many=True).data
        return Response(list_body(data, page.next_cursor))


class RequestDetail(ReadView):
    """One request, by the id that its client saw as `x-request-id`."""

    summary = "Everything the record knows of one request."
    staff_permissions = ("metrics.view_requestlog",)

    def get(self, request: Request, request_id: str) -> Response:
        """Return the row."""
        # Not every text may be asked of every database.
        found = RequestLog.objects.filter(request_id=request_id)
        row = found.first() if request_id.isprintable() else None
        if row is None:
            raise NotFoundError(f"There is no request {request_id[:64]!r}.")
        return Response(RequestDetailSerializer(row).data)
