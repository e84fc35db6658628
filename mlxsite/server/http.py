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
from mlxsite.server.connections import Connections
from mlxsite.server.refusals import Refusal, refusal_bytes

if TYPE_CHECKING:
    from mlxsite.server.daphne_server import StreamServer

SEND_BUFFER_BYTES = 128 * 1024
FORWARDED_FOR = b"x-forwarded-for"


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
        if not self.channel.begin_for_client():
            self._is_refused = True
            return None
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
        if self.channel is not None:
            self.channel.end_for_client()
        super().finish()

    def abort(self) -> None:
        """Close the connection without another byte."""
        if self.channel is not None:
            self.channel.transport.abortConnection()


class BoundedChannel(http.HTTPChannel):  # type: ignore[misc]
    """One connection; headers and body must have arrived by a deadline."""

    requestFactory = BoundedRequest
    _deadline: Any = None
    # Whose connection this is counted as.
    _client = ""

    def connectionMade(self) -> None:
        """Begin to wait for the first request, or refuse one connection too many."""
        super().connectionMade()
        # The kernel would hold megabytes for a client that reads nothing.
        self.transport.getHandle().setsockopt(
            socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES
        )
        self._client = self.peer_host
        held = self.factory.connections.take(self._client, self.transport)
        # A proxy holds the connections of many: each of its requests is counted.
        if self._is_from_proxy or self._is_within(held):
            self._arm()
        else:
            self._refuse_connection()

    @property
    def peer_host(self) -> str:
        """The address at the other end, as text."""
        return str(getattr(self.transport.getPeer(), "host", ""))

    @property
    def client_host(self) -> str:
        """The address that asks: a proxy's word, where that is believed."""
        headers = self.requests[-1].requestHeaders if self.requests else None
        values = headers.getRawHeaders(FORWARDED_FOR, []) if headers else []
        forwarded = [value.decode("latin1") for value in values]
        proxies = self.factory.server.proxies
        return str(proxies.client_of(self.peer_host, forwarded))

    def begin_for_client(self) -> bool:
        """Count a request that came through a proxy; refuse one too many."""
        if not self._is_from_proxy:
            return True
        old, self._client = self._client, self.client_host
        held = self.factory.connections.move(self.transport, old=old, new=self._client)
        if self._client == self.peer_host or self._is_within(held):
            return True
        self._refuse_connection()
        return False

    def end_for_client(self) -> None:
        """Count the connection as the proxy's again, until its next request."""
        if self._client != self.peer_host:
            old, self._client = self._client, self.peer_host
            self.factory.connections.move(self.transport, old=old, new=self._client)

    @property
    def _is_from_proxy(self) -> bool:
        return bool(self.factory.server.proxies.trusts(self.peer_host))

    def _is_within(self, held: int) -> bool:
        return bool(held <= self.factory.server.bounds.connections_per_client)

    def _refuse_connection(self) -> None:
        most = self.factory.server.bounds.connections_per_client
        message = f"More than {most} connections from one address."
        self.refuse(TooManyConnectionsError(message))

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
        method, path = self._asked
        refusal = Refusal(
            error=error,
            client_host=self.client_host,
            method=method.decode("ascii", "replace"),
            path=path.decode("ascii", "replace"),
            user_agent=self._header(b"user-agent"),
        )
        request_id = self.factory.server.on_refusal(refusal)
        self.transport.write(refusal_bytes(refusal, request_id))
        self.transport.loseConnection()

    @property
    def _asked(self) -> tuple[bytes, bytes]:
        """Method and path of the newest request; Twisted hands them on once it is whole."""
        if not self.requests:
            return b"", b""
        if hasattr(self, "_command"):
            return self._command, self._path
        request = self.requests[-1]
        return request.method, request.uri

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
        self.connections = Connections()

    def buildProtocol(self, addr: Any) -> BoundedChannel:
        """Return the protocol for a new connection."""
        channel = BoundedChannel()
        channel.factory = self
        channel.site = self
        channel.timeOut = self.timeOut
        channel.callLater = reactor.callLater
        return channel

    def unwritten_bytes(self) -> int:
        """Return how many bytes wait to be written on all connections."""
        return sum(map(unwritten_bytes, self.connections.live()))


def unwritten_bytes(transport: Any) -> int:
    """Return how much Twisted holds for a client that does not read."""
    held = len(getattr(transport, "dataBuffer", b"")) - getattr(transport, "offset", 0)
    return int(held) + int(getattr(transport, "_tempDataLen", 0))
