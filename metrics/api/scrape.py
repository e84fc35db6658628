"""GET /metrics: the figures of this server run, for Prometheus."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.http import HttpResponse
from django.views.decorators.csrf import csrf_exempt

from inference.core.errors import (
    InferenceError,
    MethodNotAllowedError,
    ModelUnavailableError,
)
from inference.runtime.app import NotInstalledError, current_app
from metrics.api.replies import METHODS, error_reply

if TYPE_CHECKING:
    from django.http import HttpRequest


@csrf_exempt
async def scrape(request: HttpRequest) -> HttpResponse:
    """Answer a scraper; also while the server drains."""
    try:
        return await _scraped(request)
    except NotInstalledError as error:
        return error_reply(ModelUnavailableError(str(error)))
    except InferenceError as error:
        return error_reply(error)


async def _scraped(request: HttpRequest) -> HttpResponse:
    if request.method not in METHODS:
        raise MethodNotAllowedError("/metrics is read with GET.")
    app = current_app()
    client_host = str(request.META.get("REMOTE_ADDR") or "")
    app.scrapers.admit(request.headers, client_host=client_host)
    body, content_type = await app.exposition.render(request.headers.get("accept", ""))
    return HttpResponse(
        body,
        content_type=content_type,
        headers={"Content-Length": str(len(body)), "Cache-Control": "no-store"},
    )
