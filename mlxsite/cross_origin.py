"""What browsers ask before, and read after, a call from a page of another origin.

Which origins may call is `CORS_ORIGINS`. What they send is let in by `inference.auth`
on its way to a view; here are only the headers without which a browser keeps the
answer from the page. Cookies are never allowed along.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from inference.auth import foreign_error
from inference.core.origins import NO_ORIGINS, AllowedOrigins
from inference.runtime.app import NotInstalledError, current_app
from mlxsite.handlers import header_of, send_error, serves_programs
from mlxsite.server.refusals import Refusal, leave_row

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from mlxsite.handlers import Application, Receive, Scope, Send

METHODS = b"GET, HEAD, POST"
# Of requests that do not say which headers they bring.
HEADERS = b"authorization, content-type, x-api-key"
REMEMBERED_S = b"600"
_HEADER_NAMES = re.compile(r"[a-z0-9!#$%&'*+.^_`|~, -]{1,2048}", re.IGNORECASE)
# What programs read of an answer, beside what browsers show to every page.
_READABLE = (b"x-", b"retry-after", b"www-authenticate", b"allow")


class CrossOrigin:
    """Answers preflights, and marks answers as readable for the origin that asked."""

    def __init__(self, application: Application) -> None:
        self._application = application

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a preflight, or pass the request on."""
        origin = header_of(scope, b"origin")
        if scope["type"] != "http" or not origin or not serves_programs(scope["path"]):
            await self._application(scope, receive, send)
        elif _is_preflight(scope):
            await _answer_preflight(scope, origin, send)
        elif origin in _origins():
            await self._application(scope, receive, _readable_by(origin, send))
        else:
            await self._application(scope, receive, send)


def _is_preflight(scope: Scope) -> bool:
    asked = header_of(scope, b"access-control-request-method")
    return scope["method"] == "OPTIONS" and bool(asked)


def _origins() -> AllowedOrigins:
    try:
        return current_app().origins
    except NotInstalledError:
        return NO_ORIGINS


async def _answer_preflight(scope: Scope, origin: str, send: Send) -> None:
    if origin not in _origins():
        await _refuse(scope, origin, send)
        return
    asked = header_of(scope, b"access-control-request-headers")
    is_sound = _HEADER_NAMES.fullmatch(asked) is not None
    headers = [
        *_allowing(origin),
        (b"access-control-allow-methods", METHODS),
        (b"access-control-allow-headers", asked.encode() if is_sound else HEADERS),
        (b"access-control-max-age", REMEMBERED_S),
    ]
    if header_of(scope, b"access-control-request-private-network") == "true":
        headers.append((b"access-control-allow-private-network", b"true"))
    await send({"type": "http.response.start", "status": 204, "headers": headers})
    await send({"type": "http.response.body", "body": b""})


async def _refuse(scope: Scope, origin: str, send: Send) -> None:
    """Refuse a preflight; its row is all that anybody sees of the page's call."""
    error = foreign_error(origin)
    client = scope.get("client") or ("",)
    refusal = Refusal(
        error=error,
        client_host=str(client[0]),
        method=scope["method"],
        path=scope["path"],
        user_agent=header_of(scope, b"user-agent"),
    )
    try:
        request_id = leave_row(refusal)
    except NotInstalledError:
        request_id = ""
    await send_error(error, send, request_id=request_id)


def _readable_by(origin: str, send: Send) -> Send:
    async def marked(message: Mapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            sent = list(message.get("headers", ()))
            names = {bytes(name).lower() for name, _ in sent}
            exposed = b", ".join(sorted(n for n in names if n.startswith(_READABLE)))
            headers = [
                *sent,
                *_allowing(origin),
                (b"access-control-expose-headers", exposed),
            ]
            message = {**message, "headers": headers}
        await send(message)

    return marked


def _allowing(origin: str) -> list[tuple[bytes, bytes]]:
    return [
        (b"access-control-allow-origin", origin.encode("latin1")),
        (b"vary", b"Origin"),
    ]
