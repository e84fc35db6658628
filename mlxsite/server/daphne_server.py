"""A Daphne that starts ready, heeds slow readers, and drains before it ends."""

from __future__ import annotations

import asyncio
import logging
import signal
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import daphne.server
from autobahn.exception import Disconnected
from twisted.internet import defer, reactor

from inference.core.trace import ConnectionNote
from mlxsite.server.http import FORWARDED_FOR, BoundedHTTPFactory, unwritten_bytes
from mlxsite.server.websocket import StrictWebSocketFactory

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from inference.core.limits import Limits
    from mlxsite.server.proxies import TrustedProxies
    from mlxsite.server.refusals import Refusal

logger = logging.getLogger("mlx_server")

CANCEL_GRACE_S = 3.0
GOING_AWAY = 1001
WRITE_POLL_S = 0.02
FLUSH_S = 1.0


@dataclass(frozen=True, slots=True)
class ServerBounds:
    """What one connection may take: bytes, and seconds to send or to read.

    `read_deadline_s` runs from a request's first byte to its last;
    `stall_timeout_s` is how long a client may read nothing of an answer.
    """

    body_bytes: int
    websocket_bytes: int
    connections_per_client: int
    read_deadline_s: float
    stall_timeout_s: float
    unwritten_bytes: int

    @classmethod
    def of(
        cls,
        limits: Limits,
        *,
        read_deadline_s: float,
        stall_timeout_s: float,
        connections_per_client: int,
    ) -> ServerBounds:
        """Return the bounds that the table of limits and the settings set."""
        return cls(
            body_bytes=limits.body_bytes,
            websocket_bytes=limits.websocket_message_bytes,
            connections_per_client=connections_per_client,
            read_deadline_s=read_deadline_s,
            stall_timeout_s=stall_timeout_s,
            unwritten_bytes=limits.unwritten_bytes,
        )


class StreamServer(daphne.server.Server):  # type: ignore[misc]
    """`on_drain(hurry)` runs once after the first signal, before connections close.

    `hurry` is set by a second signal. `on_refusal` is told what was refused below
    the application and returns the request id of its row, or "".
    """

    def __init__(
        self,
        application: Any,
        *,
        endpoints: list[str],
        bounds: ServerBounds,
        proxies: TrustedProxies,
        on_drain: Callable[[asyncio.Event], Awaitable[None]],
        on_refusal: Callable[[Refusal], str],
    ) -> None:
        super().__init__(
            application,
            endpoints=endpoints,
            signal_handlers=False,
            verbosity=1,
            server_name="mlx-server",
            websocket_max_message_size=bounds.websocket_bytes,
            websocket_max_frame_size=bounds.websocket_bytes,
        )
        self.bounds = bounds
        self.proxies = proxies
        self.on_refusal = on_refusal
        self.exit_code = 0
        self._on_drain = on_drain
        self._hurry = asyncio.Event()
        self._ports: list[Any] = []
        self._is_ending = False
        self._was_signalled = False

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The event loop that the reactor runs on."""
        return reactor._asyncioEventloop  # type: ignore[no-any-return] # noqa: SLF001

    def run(self) -> None:
        """Serve until `end` is called and everything has drained."""
        daphne.server.HTTPFactory = BoundedHTTPFactory
        daphne.server.WebSocketFactory = StrictWebSocketFactory
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            # Who started it with nohup wants it to outlive the terminal.
            if signal.getsignal(number) is not signal.SIG_IGN:
                self.loop.add_signal_handler(number, self._heed_signal)
        super().run()

    @property
    def is_ending(self) -> bool:
        """Whether the drain has begun."""
        return self._is_ending

    def end(self, exit_code: int = 0) -> None:
        """Begin to drain, unless that has begun."""
        if not self._is_ending:
            self._is_ending = True
            self.exit_code = exit_code
            reactor.stop()

    def _heed_signal(self) -> None:
        """Begin to drain; a second signal cuts the drain short."""
        if self._was_signalled:
            logger.warning("Second signal: ending at once")
            self._hurry.set()
        self._was_signalled = True
        self.end()

    def listen_success(self, port: Any) -> None:
        """Keep the port, so that draining can close it."""
        self._ports.append(port)
        super().listen_success(port)

    def listen_error(self, failure: Any) -> None:
        """Say in one line why the address cannot be listened on, and end."""
        logger.error("Cannot listen: %s", failure.getErrorMessage())
        self.exit_code = 2
        self.stop()

    def create_application(self, protocol: Any, scope: dict[str, Any]) -> Any:
        """Start the application for a request, with a note of its connection.

        Who asks is said by the proxy, where there is one that is believed.
        """
        if scope["client"]:
            host, port = scope["client"]
            client = self.proxies.client_of(host, _forwarded(scope["headers"]))
            scope["client"] = [client, port if client == host else 0]
            protocol.client_host = client
        protocol.note = scope["mlxsite.connection"] = ConnectionNote()
        return super().create_application(protocol, scope)

    async def handle_reply(self, protocol: Any, message: Any) -> None:
        """Write, then wait while the client does not read.

        What is sent to a WebSocket that is closing is dropped, as Daphne does for
        HTTP; the application hears of the disconnect next.
        """
        with suppress(Disconnected):
            await super().handle_reply(protocol, message)
        if self._is_congested(protocol):
            await self._await_reader(protocol)

    def _is_congested(self, protocol: Any) -> bool:
        can_write = getattr(protocol, "can_write", None)
        if can_write is not None:
            return not can_write.is_set()
        # A WebSocket takes no producer: autobahn could not close it any more.
        transport = protocol.transport
        if not getattr(transport, "connected", False):
            return False
        return unwritten_bytes(transport) > self.bounds.unwritten_bytes

    async def _await_reader(self, protocol: Any) -> None:
        try:
            async with asyncio.timeout(self.bounds.stall_timeout_s):
                if hasattr(protocol, "can_write"):
                    await protocol.can_write.wait()
                while self._is_congested(protocol):  # noqa: ASYNC110 -- no event there
                    await asyncio.sleep(WRITE_POLL_S)
        except TimeoutError:
            logger.warning(
                "A client read nothing for %g s", self.bounds.stall_timeout_s
            )
            protocol.note.ended_by = "client_too_slow"
            _abort(protocol)

    def kill_all_applications(self) -> defer.Deferred[None]:
        """Drain; the reactor waits for the result. Replaces Daphne's cut."""
        return defer.Deferred.fromFuture(asyncio.ensure_future(self._end_well()))

    async def _end_well(self) -> None:
        for port in self._ports:
            port.stopListening()
        try:
            await self._on_drain(self._hurry)
        except Exception:
            logger.exception("Draining failed")
        try:
            await self._end_applications()
        except Exception:
            logger.exception("Closing connections failed")

    async def _end_applications(self) -> None:
        """Close what is still open; the workers have ended, so nothing is lost."""
        for protocol in list(self.connections):
            _say_goodbye(protocol)
        running = self._running_applications()
        if running:
            _, late = await asyncio.wait(running, timeout=CANCEL_GRACE_S)
            for application in late:
                application.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        await self._flush()

    async def _flush(self) -> None:
        """Let last words leave: the reactor throws away what it has not written."""
        with suppress(TimeoutError):
            async with asyncio.timeout(FLUSH_S):
                await asyncio.sleep(0)
                while self.http_factory.unwritten_bytes():  # noqa: ASYNC110
                    await asyncio.sleep(WRITE_POLL_S)

    def _running_applications(self) -> list[asyncio.Future[Any]]:
        instances = (d.get("application_instance") for d in self.connections.values())
        return [i for i in instances if i is not None and not i.done()]


def _forwarded(headers: list[tuple[bytes, bytes]]) -> list[str]:
    return [value.decode("latin1") for name, value in headers if name == FORWARDED_FOR]


def _abort(protocol: Any) -> None:
    """Close a connection without another byte."""
    if hasattr(protocol, "abort"):
        protocol.abort()
    elif protocol.transport is not None:
        protocol.transport.abortConnection()


def _say_goodbye(protocol: Any) -> None:
    """Tell an application in-band that it is over: Django then cancels its view."""
    application_queue = getattr(protocol, "application_queue", None)
    if hasattr(protocol, "can_write"):
        if application_queue is not None:
            application_queue.put_nowait({"type": "http.disconnect"})
    elif protocol.state == protocol.STATE_OPEN:
        # `sendClose` takes application codes only; 1001 is the server's to send.
        protocol.sendCloseFrame(code=GOING_AWAY)


def tcp_endpoint(host: str, port: int) -> str:
    """Return a Twisted endpoint description for a TCP address."""
    interface = host.replace(":", "\\:")
    return f"tcp:port={port}:interface={interface}"
