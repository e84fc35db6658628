"""HTTP responses with JSON in them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from django.http import HttpResponse

from inference.exchange.writers import OPENAI, Face

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
    error: InferenceError,
    *,
    face: Face = OPENAI,
    request_id: str = "",
    headers: dict[str, str] | None = None,
) -> HttpResponse:
    """Answer with an error in the shape of the face."""
    return json_reply(
        face.error_body(error, request_id),
        status=error.http_status,
        headers={**face.error_headers(error), **(headers or {})},
    )
