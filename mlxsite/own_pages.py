"""A session counts for pages of this server, and for nobody else's.

A browser sends its cookies along with what other pages ask for: those of other
ports of this machine always, those of other sites under older rules.
"""

from __future__ import annotations

from collections.abc import Awaitable
from inspect import iscoroutinefunction
from typing import TYPE_CHECKING

from django.utils.decorators import sync_and_async_middleware

from inference.core.errors import ForbiddenError
from inference.exchange.replies import error_reply
from metrics.staff import is_own_page, session_key

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.http import HttpRequest
    from django.http.response import HttpResponseBase

    Answer = Callable[[HttpRequest], HttpResponseBase | Awaitable[HttpResponseBase]]

_OWN_SITES = ("", "none", "same-origin")


@sync_and_async_middleware
def own_pages(answer: Answer) -> Answer:
    """Refuse what brings a session from a page that is not ours; costs no thread."""
    if iscoroutinefunction(answer):

        async def on_loop(request: HttpRequest) -> HttpResponseBase:
            return _refusal() if _is_foreign(request) else await answer(request)

        return on_loop

    def in_thread(request: HttpRequest) -> HttpResponseBase:
        response = _refusal() if _is_foreign(request) else answer(request)
        assert not isinstance(response, Awaitable)
        return response

    return in_thread


def _is_foreign(request: HttpRequest) -> bool:
    headers = request.headers
    if not session_key(headers):
        return False
    if "origin" in headers:
        return not is_own_page(headers)
    if headers.get("sec-fetch-site", "") in _OWN_SITES:
        return False
    # Who follows a link to a page sees it; the page with the link does not.
    return request.method not in ("GET", "HEAD") or (
        (headers.get("sec-fetch-mode"), headers.get("sec-fetch-dest"))
        != ("navigate", "document")
    )


def _refusal() -> HttpResponseBase:
    return error_reply(
        ForbiddenError(
            "A session counts for this server's own pages only: elsewhere, send a key.",
            code="cross_site_request",
        )
    )
