"""The door of every view: who may enter, and how each call ends.

A view states its path and methods and returns a response or raises an
`InferenceError`; everything else about a request happens here, once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from functools import wraps
from typing import TYPE_CHECKING, Any

from django.http.response import HttpResponseBase
from django.views.decorators.csrf import csrf_exempt

from inference.core.errors import InferenceError, ModelUnavailableError
from inference.core.outcomes import Operation
from inference.exchange.call import Call
from inference.exchange.gate import check_caller, check_method, read_body
from inference.exchange.replies import error_reply
from inference.exchange.writers import OPENAI, Face
from inference.protocol.errors import public_error
from inference.runtime.app import NotInstalledError, current_app

if TYPE_CHECKING:
    from django.http import HttpRequest

View = Callable[..., Coroutine[Any, Any, HttpResponseBase]]


def endpoint(
    path: str,
    *methods: str,
    operation: Operation = Operation.OTHER,
    face: Face = OPENAI,
    takes_body: bool = True,
) -> Callable[[View], View]:
    """Make `view(call, **route)` answer `methods` on `path`; no methods: all.

    A view that answers POST gets the parsed JSON object as `call.body`, unless it
    `takes_body` no more than a GET does. Errors are told as `face` tells them. The
    trace is closed here, except that a streaming response and an answer in the
    background close their own.
    """
    allowed = (*methods, "HEAD") if "GET" in methods else methods
    reads_body = takes_body and "POST" in methods

    def decorate(view: View) -> View:
        async def admit_and_view(call: Call, route: dict[str, Any]) -> HttpResponseBase:
            check_method(call, allowed)
            check_caller(call)
            if reads_body and call.request.method == "POST":
                await read_body(call)
            if methods:
                call.open()
            return await view(call, **route)

        @csrf_exempt
        @wraps(view)
        async def handle(request: HttpRequest, **route: Any) -> HttpResponseBase:
            try:
                call = Call.begin(
                    request, current_app(), path=path, operation=operation
                )
            except NotInstalledError as error:
                return error_reply(ModelUnavailableError(str(error)), face=face)
            return await _answer(call, admit_and_view(call, route), allowed, face)

        return handle

    return decorate


async def _answer(
    call: Call,
    viewing: Awaitable[HttpResponseBase],
    allowed: tuple[str, ...],
    face: Face,
) -> HttpResponseBase:
    """Await the view and end the trace: finished, failed or cancelled."""
    goes_on = False
    try:
        response = await viewing
        goes_on = response.streaming or call.is_handed_over
        if not goes_on:
            call.trace.finish()
    except asyncio.CancelledError:
        goes_on = call.is_handed_over
        if not goes_on:
            call.cancel()
        raise
    except Exception as error:  # noqa: BLE001 -- logged by `public_error`
        response = _refuse(call, public_error(error), allowed, face)
    finally:
        if not goes_on:
            call.trace.close()
    for name in face.id_headers:
        response[name] = call.trace.request_id
    return response


def _refuse(
    call: Call, error: InferenceError, allowed: tuple[str, ...], face: Face
) -> HttpResponseBase:
    call.fail(error)
    is_method = error.http_status == 405
    return error_reply(
        error,
        face=face,
        request_id=call.trace.request_id,
        headers={"Allow": ", ".join(allowed)} if is_method else None,
    )
