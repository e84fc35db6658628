"""Paths under /v1 that do not exist: a JSON answer, and a row for a POST."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inference.core.errors import NotFoundError
from inference.exchange.endpoint import endpoint

if TYPE_CHECKING:
    from django.http.response import HttpResponseBase

    from inference.exchange.call import Call

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
