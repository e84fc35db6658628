"""Daphne's WebSockets, which say why they end, and leave a row of it.

Autobahn drops the connection of a client that breaks the protocol, without a word.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from daphne.ws_protocol import WebSocketFactory, WebSocketProtocol

from inference.consumers import ENDPOINT
from inference.core.errors import InvalidRequestError
from mlxsite.server.refusals import Refusal

if TYPE_CHECKING:
    from mlxsite.server.daphne_server import StreamServer

FAULTS = {
    1002: ("websocket_protocol_error", "The WebSocket protocol was not kept"),
    1007: ("invalid_payload", "A text message must be UTF-8"),
    1009: ("message_too_large", "The message is too large"),
}


class StrictWebSocket(WebSocketProtocol):  # type: ignore[misc]
    """A connection that is closed with a code where its client errs."""

    server: StreamServer
    # The client's address, once the application knows it.
    client_host = ""

    def _fail_connection(self, code: int, reason: str) -> None:
        is_first = not self.failedByMe and self.state == self.STATE_OPEN
        super()._fail_connection(code, reason)
        if is_first and code in FAULTS and self.request.path == ENDPOINT:
            self._leave_row(code, reason)

    def _leave_row(self, code: int, reason: str) -> None:
        word, told = FAULTS[code]
        error = InvalidRequestError(f"{told} ({code}): {reason}.", code=word)
        refusal = Refusal(
            error=error,
            client_host=self.client_host,
            method="GET",
            path=self.request.path,
            user_agent=self.request.headers.get("user-agent", ""),
        )
        self.server.on_refusal(refusal)


class StrictWebSocketFactory(WebSocketFactory):  # type: ignore[misc]
    """Makes connections of our kind."""

    protocol = StrictWebSocket

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.setProtocolOptions(failByDrop=False)
