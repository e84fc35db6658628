"""Bodies of `/api/`: lists, and errors in OpenAI's shape."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.http import HttpResponse

from inference.core.error_bodies import error_body, error_headers
from inference.core.errors import MethodNotAllowedError

if TYPE_CHECKING:
    from inference.core.errors import InferenceError

METHODS = ("GET", "HEAD")


def list_body(data: Any, next_cursor: str | None, **more: Any) -> dict[str, Any]:
    """Return a page in the shape of OpenAI's lists."""
    return {
        "object": "list",
        "data": data,
        "has_more": next_cursor is not None,
        "next_cursor": next_cursor,
        **more,
    }


def error_reply(error: InferenceError) -> HttpResponse:
    """Answer with an error."""
    headers = error_headers(error)
    if isinstance(error, MethodNotAllowedError):
        # Everything here is read, and nothing else.
        headers["Allow"] = ", ".join(METHODS)
    return HttpResponse(
        error_body(error),
        content_type="application/json",
        status=error.http_status,
        headers=headers,
    )
