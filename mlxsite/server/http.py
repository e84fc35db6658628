"""Daphne's HTTP side with what it lacks: back-pressure, body limit, read deadline.

Daphne registers no producer (a client that reads nothing fills memory), has no
body limit, and Twisted's idle timer is reset by every byte. Each gap is closed
here and has a test of its own; daphne is pinned to 4.2 for that reason.
"""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
from daphne.http_protocol import HTTPFactory, WebRequest
from twisted.internet import reactor
from twisted.web import http


class RefusableRequest(WebRequest):  # type: ignore[misc]
    """A request whose body is counted and whose reader is heeded."""

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
            self._refuse()

    def handleContentChunk(self, data: bytes) -> None:
        """Count the body as it comes, and refuse it once it is over the limit."""
        if self._is_refused:
            return
        self._body_bytes += len(data)
        if self._body_bytes > self.server.bounds.body_bytes:
            self._refuse()
        else:
            super().handleContentChunk(data)

    def process(self) -> Any:
        """Hand a whole request to the application."""
        if self._is_refused:
            return None
        self.channel.request_is_read()
        self.registerProducer(self, True)
        return super().process()

    def _refuse(self) -> None:
        self._is_refused = True
        limit = self.server.bounds.body_bytes
        error = {
            "message": f"The request body is larger than {limit} bytes.",
            "type": "invalid_request_error",
            "param": None,
            "code": "request_too_large",
        }
        body = msgspec.json.encode({"error": error})
        head = (
            "HTTP/1.1 413 Content Too Large\r\nContent-Type: application/json\r\n"
            f"Connection: close\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        self.channel.transport.write(head.encode() + body)
        self.channel.transport.loseConnection()

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


class DeadlineChannel(http.HTTPChannel):  # type: ignore[misc]
    """One connection; headers and body must have arrived by a deadline."""

    requestFactory = RefusableRequest

    def connectionMade(self) -> None:
        """Begin to wait for the first request."""
        self._deadline: Any = None
        super().connectionMade()
        self._arm()

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

    def _arm(self) -> None:
        deadline_s = self.factory.server.bounds.read_deadline_s
        self._deadline = self.callLater(deadline_s, self._expire)

    def _expire(self) -> None:
        self._deadline = None
        self.transport.abortConnection()


class SafeHTTPFactory(HTTPFactory):  # type: ignore[misc]
    """Makes connections of our kind."""

    def buildProtocol(self, addr: Any) -> DeadlineChannel:
        """Return the protocol for a new connection."""
        channel = DeadlineChannel()
        channel.factory = self
        channel.site = self
        channel.timeOut = self.timeOut
        channel.callLater = reactor.callLater
        return channel
