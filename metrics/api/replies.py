"""Errors of `/api/` and `/metrics` as HTTP responses, in OpenAI's shape."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.http import HttpResponse

from inference.core.error_bodies import error_body, error_headers

if TYPE_CHECKING:
    from inference.core.errors import InferenceError


def error_reply(error: InferenceError) -> HttpResponse:
    """Answer with an error."""
    return HttpResponse(
        error_body(error),
        content_type="application/json",
        status=error.http_status,
        headers=error_headers(error),
    )
