"""How an error looks on the wire: owns the OpenAI error body and its headers."""

from __future__ import annotations

from typing import Any

import msgspec

from inference.core.errors import (
    AuthenticationError,
    InferenceError,
    ServerDrainingError,
)
from inference.core.limits import DEFAULT_LIMITS


def error_object(error: InferenceError) -> dict[str, Any]:
    """The value of `error` in an error body, event or message."""
    return {
        "message": error.message[: DEFAULT_LIMITS.error_chars],
        "type": error.error_type,
        "param": error.param,
        "code": error.code,
    }


def error_body(error: InferenceError) -> bytes:
    """The body of an error response; `detail` beside it for older clients."""
    body: dict[str, Any] = {"error": error_object(error)}
    if error.detail is not None:
        body["detail"] = error.detail
    return msgspec.json.encode(body)


def error_headers(error: InferenceError) -> dict[str, str]:
    """The headers that belong to an error, beside the request id."""
    headers = {}
    if error.retry_after_s is not None:
        headers["Retry-After"] = str(error.retry_after_s)
    if isinstance(error, AuthenticationError):
        headers["WWW-Authenticate"] = "Bearer"
    if isinstance(error, ServerDrainingError):
        headers["Connection"] = "close"
    return headers
