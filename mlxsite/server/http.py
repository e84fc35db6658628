"""Daphne's HTTP side with what it lacks: back-pressure, bounds, read deadline.

Daphne registers no producer (a client that reads nothing fills memory), has no
body limit, and Twisted's idle timer is reset by every byte. Each gap is closed
here and has a test of its own; daphne is pinned to 4.2 for that reason.
"""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING, Any

from daphne.http_protocol import HTTPFactory, WebRequest
from twisted.internet import reactor
from twisted.web import http

from inference.core.errors import (
    BodyTooLargeError,
    InferenceError,
    ReadDeadlineError,
    TooManyConnectionsError,
)
from mlxsite.server.refusals import Refusal, refusal_bytes

if TYPE_CHECKING:
    from mlxsite.server.daphne_server import StreamServer

SEND_BUFFER_BYTES = 128 * 1024
SWEEP_EVERY = 256


class BoundedRequest(WebRequest):  # type: ignore[misc]
    """A request whose body is counted and whose reader is heeded."""

    server: StreamServer

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.can_write = asyncio.Event()
        self.can_write.set()
        self._body_bytes = 0
        self._is_refused = False

    # --- reading

    def gotLength(self, length: int | None) -> None:
        """Refuse a body whose announced length is over the limit."""
        super().gotLength(length)
        if length is not None and length > self.server.bounds.body_bytes:
            self._refuse_body()

    def handleContentChunk(self, data: bytes) -> None:
        """Count the body as it comes, and refuse it once it is over the limit."""
        if self._is_refused:
            return
        self._body_bytes += len(data)
        if self._body_bytes > self.server.bounds.body_bytes:
            self._refuse_body()
        else:
            super().handleContentChunk(data)

    def process(self) -> Any:
        """Hand a whole request to the application."""
        if self._is_refused:
            return None
        self.channel.request_is_read()
        self.registerProducer(self, True)
        return super().process()

    def _refuse_body(self) -> None:
        self._is_refused = True
        limit = self.server.bounds.body_bytes
        error = BodyTooLargeError(f"The request body is larger than {limit} bytes.")
        self.channel.refuse(error)

    # --- writing: Twisted's push producer

    def pauseProducing(self) -> None:
        """Stop writing: the client does not read."""
        self.can_write.clear()

    def resumeProducing(self) -> None:
        """Write on: the client has read."""
        self.can_write.set()

    def stopProducing(self) -> None:
        """Let a waiting writer go on to find the connection closed."""
        self.can_write.set()

    def connectionLost(self, reason: Any) -> None:
        """Let a waiting writer go on to find the connection closed."""
        self.can_write.set()
        super().connectionLost(reason)

    def finish(self) -> None:
        """End the response."""
        if self.producer is not None:
            self.unregisterProducer()
        super().finish()

    def abort(self) -> None:
        """Close the connection without another byte."""
        if self.channel is not None:
            self.channel.transport.abortConnection()


class BoundedChannel(http.HTTPChannel):  # type: ignore[misc]
    """One connection; headers and body must have arrived by a deadline."""

    requestFactory = BoundedRequest
    _deadline: Any = None

    def connectionMade(self) -> None:
        """Begin to wait for the first request, or refuse one connection too many."""
        super().connectionMade()
        # The kernel would hold megabytes for a client that reads nothing.
        self.transport.getHandle().setsockopt(
            socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES
        )
        if self.factory.admit(self.client_host, self.transport):
            self._arm()
        else:
            most = self.factory.server.bounds.connections_per_client
            message = f"More than {most} connections from one address."
            self.refuse(TooManyConnectionsError(message))

    @property
    def client_host(self) -> str:
        """The address at the other end, as text."""
        return str(getattr(self.transport.getPeer(), "host", ""))

    def dataReceived(self, data: bytes) -> None:
        """Begin to wait for the rest of a later request on the same connection."""
        if self._deadline is None and not self._handlingRequest:
            self._arm()
        super().dataReceived(data)

    def connectionLost(self, reason: Any) -> None:
        """Stop waiting."""
        self.request_is_read()
        super().connectionLost(reason)

    def request_is_read(self) -> None:
        """Stop waiting: headers and body are here."""
        if self._deadline is not None and self._deadline.active():
            self._deadline.cancel()
        self._deadline = None

    def refuse(self, error: InferenceError) -> None:
        """Answer with an error from below the application, and close."""
        refusal = Refusal(
            error=error,
            client_host=self.client_host,
            method=self._command.decode("ascii", "replace") if self.requests else "",
            path=self._path.decode("ascii", "replace") if self.requests else "",
            user_agent=self._header(b"user-agent"),
        )
        request_id = self.factory.server.on_refusal(refusal)
        self.transport.write(refusal_bytes(refusal, request_id))
        self.transport.loseConnection()

    def _header(self, name: bytes) -> str:
        if not self.requests:
            return ""
        value = self.requests[-1].requestHeaders.getRawHeaders(name, [b""])[0]
        return str(value.decode("latin1"))

    def _arm(self) -> None:
        deadline_s = self.factory.server.bounds.read_deadline_s
        self._deadline = self.callLater(deadline_s, self._expire)

    def _expire(self) -> None:
        self._deadline = None
        if not self.requests:
            # Nothing was asked yet: no request line has arrived.
            self.transport.loseConnection()
            return
        deadline_s = self.factory.server.bounds.read_deadline_s
        message = f"The request did not arrive within {deadline_s:g} s."
        self.refuse(ReadDeadlineError(message))


class BoundedHTTPFactory(HTTPFactory):  # type: ignore[misc]
    """Makes connections of our kind, and counts them per client."""

    def __init__(self, server: StreamServer) -> None:
        super().__init__(server)
        self._transports: dict[str, set[Any]] = {}
        self._admitted = 0

    def buildProtocol(self, addr: Any) -> BoundedChannel:
        """Return the protocol for a new connection."""
        channel = BoundedChannel()
        channel.factory = self
        channel.site = self
        channel.timeOut = self.timeOut
        channel.callLater = reactor.callLater
        return channel

    def admit(self, client_host: str, transport: Any) -> bool:
        """Take a connection in; false when its client holds too many.

        The transports are asked whether they live: one that became a WebSocket's
        tells its channel no more.
        """
        self._admitted += 1
        if self._admitted % SWEEP_EVERY == 0:
            self._sweep()
        held = _live(self._transports.get(client_host, set()))
        held.add(transport)
        self._transports[client_host] = held
        return bool(len(held) <= self.server.bounds.connections_per_client)

    def _sweep(self) -> None:
        """Forget clients that are gone, and what was never written to them."""
        live = {host: _live(held) for host, held in self._transports.items()}
        self._transports = {host: held for host, held in live.items() if held}

    def unwritten_bytes(self) -> int:
        """Return how many bytes wait to be written on all connections."""
        live = (t for held in self._transports.values() for t in held if t.connected)
        return sum(unwritten_bytes(transport) for transport in live)


def _live(transports: set[Any]) -> set[Any]:
    return {transport for transport in transports if transport.connected}


def unwritten_bytes(transport: Any) -> int:
    """Return how much Twisted holds for a client that does not read."""
    held = len(getattr(transport, "dataBuffer", b"")) - getattr(transport, "offset", 0)
    return int(held) + int(getattr(transport, "_tempDataLen", 0))
