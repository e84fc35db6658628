"""Every failure under `/api/` as an error that knows its public face."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from django.http import Http404
from rest_framework import exceptions

from inference.core.errors import (
    InferenceError,
    MethodNotAllowedError,
    ModelUnavailableError,
    NotFoundError,
)
from inference.runtime.app import NotInstalledError
from metrics.api.replies import error_reply

if TYPE_CHECKING:
    from django.http import HttpResponse

logger = logging.getLogger("metrics.api")


def answer_error(error: Exception, _context: dict[str, Any]) -> HttpResponse:
    """Return the response to an exception of a view; DRF's exception handler."""
    return error_reply(_public(error))


def _public(error: Exception) -> InferenceError:
    if isinstance(error, InferenceError):
        return error
    if isinstance(error, exceptions.MethodNotAllowed):
        return MethodNotAllowedError(f"{error.detail} Use GET.")
    if isinstance(error, Http404 | exceptions.NotFound):
        return NotFoundError("There is no such thing here.")
    if isinstance(error, NotInstalledError):
        return ModelUnavailableError(str(error))
    logger.error("Unexpected error in a request to /api/", exc_info=error)
    return InferenceError("The server had an error while processing your request.")
