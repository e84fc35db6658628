"""GET /health (the process lives) and /health/ready (a model can answer).

For load balancers and supervisors: no key, and an answer also while draining.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from inference.exchange.replies import json_reply
from inference.runtime.app import NotInstalledError, current_app

if TYPE_CHECKING:
    from django.http import HttpRequest
    from django.http.response import HttpResponseBase


async def health(_request: HttpRequest) -> HttpResponseBase:
    """Say that the process answers."""
    return json_reply({"status": "ok"})


async def ready(_request: HttpRequest) -> HttpResponseBase:
    """Say whether a request sent now would find a model that can answer."""
    reason = _reason_not_ready()
    if reason:
        return json_reply({"status": "unavailable", "reason": reason}, status=503)
    return json_reply({"status": "ok"})


def _reason_not_ready() -> str:
    try:
        service = current_app().service
    except NotInstalledError:
        return "no_service"
    if service.is_draining:
        return "shutting_down"
    return "" if service.is_ready else "no_model_ready"
