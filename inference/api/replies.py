"""HTTP responses with JSON in them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from django.http import HttpResponse

from inference.protocol.errors import error_body, error_headers

if TYPE_CHECKING:
    from inference.core.errors import InferenceError

_JSON = "application/json"


def json_reply(
    body: bytes | dict[str, Any],
    *,
    status: int = 200,
    headers: dict[str, str] | None = None,
) -> HttpResponse:
    """Answer with a body, encoded already or not."""
    content = body if isinstance(body, bytes) else msgspec.json.encode(body)
    # Without a length Daphne would cut the body into chunks.
    return HttpResponse(
        content,
        content_type=_JSON,
        status=status,
        headers={"Content-Length": str(len(content)), **(headers or {})},
    )


def error_reply(
    error: InferenceError, *, headers: dict[str, str] | None = None
) -> HttpResponse:
    """Answer with an error in OpenAI's shape."""
    return json_reply(
        error_body(error),
        status=error.http_status,
        headers={**error_headers(error), **(headers or {})},
    )
