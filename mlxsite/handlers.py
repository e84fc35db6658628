"""The outermost ASGI layer: who is addressed, and which Django answers.

The API has no sessions, cookies or forms. Django's stock middleware would take
every request through threads for them, so `/v1` gets a handler without it; the
host is checked here, before either.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.contrib.staticfiles.handlers import ASGIStaticFilesHandler
from django.core.exceptions import SuspiciousFileOperation
from django.core.handlers.asgi import ASGIHandler
from django.core.handlers.exception import convert_exception_to_response
from django.http import Http404
from django.http.request import split_domain_port, validate_host

from inference.api.ollama import OLLAMA_PATHS
from inference.api.unknown import is_misdirected
from inference.core.errors import InvalidRequestError
from inference.exchange.call import UNRECORDED_METHODS
from inference.protocol.errors import error_body
from inference.runtime.app import NotInstalledError
from mlxsite.server.refusals import Refusal, leave_row

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from django.http import FileResponse, HttpRequest, HttpResponse

    from inference.core.errors import InferenceError

    Scope = dict[str, Any]
    Receive = Callable[[], Awaitable[Mapping[str, Any]]]
    Send = Callable[[Mapping[str, Any]], Awaitable[None]]
    Application = Callable[[Scope, Receive, Send], Awaitable[None]]

API_PREFIXES = ("/v1", "/health", "/metrics")
# Addresses of others; what comes there is answered and recorded as under /v1.
API_PATHS = ("/tokenize", "/detokenize", "/rerank", "/v2/rerank", *OLLAMA_PATHS)
WEBSOCKET_REFUSED = 4403


class ApiHandler(ASGIHandler):
    """Django's ASGI handler with the views alone: no middleware, no threads.

    Django gives each request a thread of its own for its synchronous parts; the
    API has none worth it, and the thread costs more than a stream's chunks.
    """

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one HTTP request."""
        await self.handle(scope, receive, send)

    def load_middleware(self, is_async: bool = False) -> None:
        """Call the view directly."""
        self._view_middleware: list[Any] = []
        self._template_response_middleware: list[Any] = []
        self._exception_middleware: list[Any] = []
        assert is_async, "ASGI handlers are asynchronous"
        self._middleware_chain = convert_exception_to_response(
            self._get_response_async  # type: ignore[attr-defined]
        )


class StaticFiles(ASGIStaticFilesHandler):
    """Django's static files; a path that leads out of the folder is a 404 too."""

    def serve(self, request: HttpRequest) -> HttpResponse | FileResponse:
        """Answer with the file; a path that no file can have names none."""
        try:
            return super().serve(request)
        except (SuspiciousFileOperation, ValueError, OSError):
            raise Http404("No such file.") from None


class ByPath:
    """Sends API paths to one application and everything else to another."""

    def __init__(self, *, api: Application, site: Application) -> None:
        self._api = api
        self._site = site

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        path = scope["path"]
        is_api = path.startswith(API_PREFIXES) or _is_programs(path)
        await (self._api if is_api else self._site)(scope, receive, send)


def serves_programs(path: str) -> bool:
    """Whether programs of other origins have any business at this path."""
    return path.startswith(("/v1", "/api/")) or _is_programs(path)


def _is_programs(path: str) -> bool:
    return path in API_PATHS or is_misdirected(path)


def header_of(scope: Scope, name: bytes) -> str:
    """Return the value of a header that came once; "" for none, or several."""
    headers: list[tuple[bytes, bytes]] = scope.get("headers", [])
    values = [value for sent, value in headers if sent == name]
    return values[0].decode("latin1") if len(values) == 1 else ""


class HostGuard:
    """Refuses requests addressed to a name that is not ours.

    A page on another site can make a browser call `127.0.0.1` under a name it
    controls (DNS rebinding); such a call carries that name in `Host`. Only
    what asks Django for the host would notice, so it is checked for all.
    """

    def __init__(self, application: Application) -> None:
        self._application = application

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it."""
        host = header_of(scope, b"host")
        domain, _ = split_domain_port(host)
        if domain and validate_host(domain, settings.ALLOWED_HOSTS):
            await self._application(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": WEBSOCKET_REFUSED})
        else:
            await _refuse(host, scope, send)


async def _refuse(host: str, scope: Scope, send: Send) -> None:
    error = InvalidRequestError(
        f"The host {host[:200]!r} is not served here; add it to ALLOWED_HOSTS."
        if host
        else "The request needs exactly one Host header.",
        code="invalid_host",
    )
    _record(error, scope)
    await send_error(error, send)


async def send_error(
    error: InferenceError, send: Send, *, request_id: str = ""
) -> None:
    """Answer with an error where no view does."""
    body = error_body(error)
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
    ]
    if request_id:
        headers.append((b"x-request-id", request_id.encode()))
    await send(
        {"type": "http.response.start", "status": error.http_status, "headers": headers}
    )
    await send({"type": "http.response.body", "body": body})


def _record(error: InvalidRequestError, scope: Scope) -> None:
    """Leave a row of what would have been a request to the API."""
    is_api = scope["path"].startswith("/v1") or scope["path"] in API_PATHS
    if is_api and scope["method"] not in UNRECORDED_METHODS:
        client = scope.get("client") or ("",)
        refusal = Refusal(
            error=error,
            client_host=str(client[0]),
            method=scope["method"],
            path=scope["path"],
        )
        with suppress(NotInstalledError):
            leave_row(refusal)
