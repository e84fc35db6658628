"""What is refused below the application: the answer's bytes, and the row of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from inference.core.trace import Client
from inference.protocol.errors import error_body, error_headers
from inference.routing import endpoint_of
from inference.runtime.app import current_app

if TYPE_CHECKING:
    from inference.core.errors import InferenceError

REASONS = {408: "Request Timeout", 413: "Content Too Large", 429: "Too Many Requests"}


@dataclass(frozen=True, slots=True)
class Refusal:
    """A request that the server refused before any application saw it.

    `method` and `path` are empty where no request line had arrived.
    """

    error: InferenceError
    client_host: str
    method: str = ""
    path: str = ""
    user_agent: str = ""


def refusal_bytes(refusal: Refusal, request_id: str) -> bytes:
    """Return the whole HTTP response, which closes the connection."""
    status = refusal.error.http_status
    body = error_body(refusal.error)
    headers = {
        "Content-Type": "application/json",
        "Content-Length": str(len(body)),
        "Connection": "close",
        "x-request-id": request_id,
        **error_headers(refusal.error),
    }
    lines = [f"{name}: {value}" for name, value in headers.items()]
    head = "\r\n".join([f"HTTP/1.1 {status} {REASONS[status]}", *lines, "", ""])
    return head.encode() + body


def leave_row(refusal: Refusal) -> str:
    """Record a refusal, if its client may leave a row; return the request id."""
    app = current_app()
    trace = app.new_trace(
        endpoint=endpoint_of(refusal.path),
        client=Client(
            client_host=refusal.client_host,
            user_agent=refusal.user_agent[: app.limits.header_chars],
        ),
    )
    if app.unauthenticated.may_leave_row(refusal.client_host):
        trace.open()
    trace.fail(refusal.error)
    trace.close()
    return trace.request_id
