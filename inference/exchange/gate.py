"""What a request must pass before a view sees it, and in which order."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from inference.auth import caller_name, refuse_foreign
from inference.core.errors import (
    MethodNotAllowedError,
    ServerDrainingError,
    UnsupportedMediaTypeError,
)
from inference.protocol.json_body import read_object, too_large

if TYPE_CHECKING:
    from collections.abc import Collection

    from django.http import HttpRequest

    from inference.core.limits import Limits
    from inference.exchange.call import Call

_JSON_TYPES = frozenset({"application/json", ""})


def check_method(call: Call, methods: Collection[str]) -> None:
    """Refuse a method the path does not have; empty `methods` means any."""
    if methods and call.request.method not in methods:
        raise MethodNotAllowedError(
            f"Not allowed to {call.request.method} on {call.request.path}. "
            f"Allowed: {', '.join(methods)}."
        )


def check_caller(call: Call) -> None:
    """Refuse while draining, foreign pages in browsers, and unknown keys."""
    app, headers = call.app, call.request.headers
    if app.service.is_draining:
        raise ServerDrainingError("The server is shutting down.")
    refuse_foreign(headers, allowed_hosts=app.allowed_hosts, origins=app.origins)
    call.trace.authorised(caller_name(app.keys, headers))


async def read_body(call: Call) -> None:
    """Read the JSON body into `call.body`."""
    request, limits = call.request, call.app.limits
    if _declared_bytes(request) > limits.body_bytes:
        raise too_large(limits.body_bytes)
    if request.content_type not in _JSON_TYPES:
        raise UnsupportedMediaTypeError(
            f"Unsupported content type '{request.content_type}'. "
            "Send the body with 'Content-Type: application/json'."
        )
    encoding = request.headers.get("content-encoding", "identity")
    if encoding.lower() != "identity":
        raise UnsupportedMediaTypeError(
            f"Unsupported content encoding '{encoding[:64]}'. Send the body as it is."
        )
    raw = await _read(request, limits)
    call.body, call.body_bytes = await read_object(raw, limits=limits), len(raw)


async def _read(request: HttpRequest, limits: Limits) -> bytes:
    # Not `request.body`: its bound is another setting, and a chunked body
    # declares no length, so the bytes themselves are counted here.
    most = limits.body_bytes + 1
    if 0 < _declared_bytes(request) <= limits.parse_in_thread_bytes:
        return request.read(most)
    return await asyncio.to_thread(request.read, most)


def _declared_bytes(request: HttpRequest) -> int:
    declared = request.headers.get("content-length", "")
    return int(declared) if declared.isdecimal() else 0
