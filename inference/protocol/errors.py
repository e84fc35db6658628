"""What a client is told of a failure; how it looks is `inference.core.error_bodies`."""

from __future__ import annotations

import logging

from inference.core.error_bodies import error_body, error_headers, error_object
from inference.core.errors import InferenceError

__all__ = [
    "error_body",
    "error_headers",
    "error_object",
    "internal_error",
    "public_error",
]

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
