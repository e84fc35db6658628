"""How an error looks on the wire: owns the OpenAI error body and its headers."""

from __future__ import annotations

import logging
from typing import Any

import msgspec

from inference.core.errors import (
    AuthenticationError,
    InferenceError,
    ServerDrainingError,
)
from inference.core.limits import DEFAULT_LIMITS

_log = logging.getLogger(__name__)


def internal_error() -> InferenceError:
    """What a client is told of a failure that nobody foresaw."""
    return InferenceError("The server had an error while processing your request.")


def public_error(error: Exception) -> InferenceError:
    """Return the error as a client may see it; log what nobody foresaw."""
    if isinstance(error, InferenceError):
        return error
    _log.error("Unexpected error in a request", exc_info=error)
    return internal_error()


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
