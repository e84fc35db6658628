"""What pages of the site may load: their own files, and nothing written inline.

The pages show what models and clients wrote; should any of it ever get into one as
markup, the browser runs none of it and sends nothing elsewhere.
"""

from __future__ import annotations

from collections.abc import Awaitable
from inspect import iscoroutinefunction
from typing import TYPE_CHECKING

from django.conf import settings
from django.utils.decorators import sync_and_async_middleware

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.http import HttpRequest
    from django.http.response import HttpResponseBase

    Answer = Callable[[HttpRequest], HttpResponseBase | Awaitable[HttpResponseBase]]

HEADER = "Content-Security-Policy"
_POLICY = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self' data:",
    "font-src": "'self'",
    # Some browsers do not count the WebSocket of the same host as their own.
    "connect-src": "'self' {websocket}://{host}",
    "manifest-src": "'self'",
    "object-src": "'none'",
    "base-uri": "'none'",
    "form-action": "'self'",
    "frame-ancestors": "'none'",
}
_TEMPLATE = "; ".join(f"{name} {value}" for name, value in _POLICY.items())
# Pages for developers, with everything inline, and only there.
_DEBUG_PAGES = frozenset({404, 500})


def policy(request: HttpRequest) -> str:
    """Return the policy for a page that `request` asks for."""
    websocket = "wss" if request.is_secure() else "ws"
    return _TEMPLATE.format(websocket=websocket, host=request.get_host())


@sync_and_async_middleware
def content_security(answer: Answer) -> Answer:
    """Put the policy on every answer; costs no thread."""
    if iscoroutinefunction(answer):

        async def on_loop(request: HttpRequest) -> HttpResponseBase:
            return _guarded(request, await answer(request))

        return on_loop

    def in_thread(request: HttpRequest) -> HttpResponseBase:
        response = answer(request)
        assert not isinstance(response, Awaitable)
        return _guarded(request, response)

    return in_thread


def _guarded(request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
    if not (settings.DEBUG and response.status_code in _DEBUG_PAGES):
        response.headers.setdefault(HEADER, policy(request))
    return response
