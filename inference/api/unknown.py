"""Paths under /v1 that do not exist: a JSON answer, and a row for a POST."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inference.api.endpoint import endpoint
from inference.core.errors import NotFoundError

if TYPE_CHECKING:
    from django.http.response import HttpResponseBase

    from inference.api.call import Call

_SHOWN_CHARS = 200


@endpoint("/v1/*")
async def unknown_path(call: Call) -> HttpResponseBase:
    """Refuse whatever it is."""
    request = call.request
    raise NotFoundError(
        f"Unknown request URL: {request.method} {request.path[:_SHOWN_CHARS]}. "
        "Please check the URL for typos.",
        code="unknown_url",
    )
