"""GET /api/history: the series that the charts draw."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from django.http import HttpResponse
from django.utils import timezone

from inference.core.errors import InvalidRequestError
from metrics.api.filters import SPAN, choice_parameter
from metrics.api.parameters import Parameter
from metrics.api.views import ReadView
from metrics.history import BadParameterError, History, read_asked, read_history
from metrics.history.asked import COLUMNS, DEFAULT_RANGE, RANGES
from metrics.history.steps import STEPS_S
from metrics.selection import CHOICES

if TYPE_CHECKING:
    from rest_framework.request import Request

RANGE = Parameter(
    "range",
    "Up to now, where none of the others says what.",
    {"type": "string", "enum": list(RANGES), "default": DEFAULT_RANGE},
)
STEP = Parameter(
    "step",
    "Seconds between two points, at least; chosen to suit the range without it.",
    {"type": "integer", "enum": list(STEPS_S)},
)
_NAME = "History"


class HistorySeries(ReadView):
    """One column per series, one entry per point; `null` where the server did not run.

    Times are in seconds. A request belongs to the point that it began in.
    """

    summary = "Requests, tokens, latencies, queue and memory over time."
    staff_permissions = ("metrics.view_requestlog",)
    parameters = (
        RANGE,
        STEP,
        *SPAN,
        *(choice_parameter(CHOICES[name]) for name in COLUMNS),
    )

    def get(self, request: Request) -> HttpResponse:
        """Return the series of a range."""
        now = timezone.now()
        try:
            asked = read_asked(request.GET.dict(), now=now)
        except BadParameterError as error:
            raise InvalidRequestError(str(error), param=error.parameter) from None
        body = msgspec.json.encode(read_history(asked, now=now))
        return HttpResponse(body, content_type="application/json")


def history_schemas() -> dict[str, Any]:
    """Return the schema of the answer, and of its parts under names of their own."""
    template = f"#/components/schemas/{_NAME}{{name}}"
    _, parts = msgspec.json.schema_components((History,), ref_template=template)
    whole = parts.pop(_NAME)
    return {_NAME: whole, **{f"{_NAME}{name}": part for name, part in parts.items()}}
