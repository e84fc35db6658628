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

from mlxsite.server.http import SafeHTTPFactory

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

logger = logging.getLogger("mlxsite")

CANCEL_GRACE_S = 3.0
DISCONNECTS = {"http": "http.disconnect", "websocket": "websocket.disconnect"}


@dataclass(frozen=True, slots=True)
class ServerBounds:
    """What one connection may take: bytes, and seconds to send or to read.

    `read_deadline_s` runs from a request's first byte to its last;
    `stall_timeout_s` is how long a client may read nothing of an answer.
    """

    body_bytes: int
    websocket_bytes: int
    read_deadline_s: float = 30.0
    stall_timeout_s: float = 60.0


class StreamServer(daphne.server.Server):  # type: ignore[misc]
    """`on_drain` runs once when the first signal came, before connections close."""

    def __init__(
        self,
        application: Any,
        *,
        endpoints: list[str],
        bounds: ServerBounds,
        on_drain: Callable[[], Awaitable[None]],
    ) -> None:
        super().__init__(
            application,
            endpoints=endpoints,
            signal_handlers=False,
            verbosity=1,
            server_name="mlxsite",
            websocket_max_message_size=bounds.websocket_bytes,
            websocket_max_frame_size=bounds.websocket_bytes,
        )
        self.bounds = bounds
        self.exit_code = 0
        self._on_drain = on_drain
        self._ports: list[Any] = []
        self._is_ending = False

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The event loop that the reactor runs on."""
        return reactor._asyncioEventloop  # type: ignore[no-any-return] # noqa: SLF001

    def run(self) -> None:
        """Serve until `end` is called and everything has drained."""
        daphne.server.HTTPFactory = SafeHTTPFactory
        for number in (signal.SIGTERM, signal.SIGINT):
            self.loop.add_signal_handler(number, self.end)
        super().run()

    def end(self, exit_code: int = 0) -> None:
        """Begin to drain; a second call ends the process without waiting."""
        if self._is_ending:
            logger.warning("Second signal: ending at once")
            self.hurry()
            return
        self._is_ending = True
        self.exit_code = exit_code
        reactor.stop()

    def hurry(self) -> None:
        """Cut the drain short; the composition overrides what that means."""

    def listen_success(self, port: Any) -> None:
        """Keep the port, so that draining can close it."""
        self._ports.append(port)
        super().listen_success(port)

    def listen_error(self, failure: Any) -> None:
        """Say in one line why the address cannot be listened on, and end."""
        logger.error("Cannot listen: %s", failure.getErrorMessage())
        self.exit_code = 2
        self.stop()

    async def handle_reply(self, protocol: Any, message: Any) -> None:
        """Write, then wait while the client does not read.

        What is sent to a WebSocket that is closing is dropped, as Daphne does for
        HTTP; the application hears of the disconnect next.
        """
        with suppress(Disconnected):
            await super().handle_reply(protocol, message)
        can_write = getattr(protocol, "can_write", None)
        if can_write is None or can_write.is_set():
            return
        try:
            async with asyncio.timeout(self.bounds.stall_timeout_s):
                await can_write.wait()
        except TimeoutError:
            logger.warning(
                "A client read nothing for %s s", self.bounds.stall_timeout_s
            )
            protocol.abort()

    def kill_all_applications(self) -> defer.Deferred[None]:
        """Drain; the reactor waits for the result. Replaces Daphne's cut."""
        return defer.Deferred.fromFuture(asyncio.ensure_future(self._end_well()))

    async def _end_well(self) -> None:
        for port in self._ports:
            port.stopListening()
        try:
            await self._on_drain()
        except Exception:
            logger.exception("Draining failed")
        await self._end_applications()

    async def _end_applications(self) -> None:
        for protocol in list(self.connections):
            self._tell_disconnected(protocol)
        running = self._running_applications()
        if running:
            _, late = await asyncio.wait(running, timeout=CANCEL_GRACE_S)
            for application in late:
                application.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    def _tell_disconnected(self, protocol: Any) -> None:
        """Tell an application in-band that it is over: Django then cancels its view."""
        application_queue = getattr(protocol, "application_queue", None)
        if application_queue is None:
            return
        kind = "http" if hasattr(protocol, "can_write") else "websocket"
        application_queue.put_nowait({"type": DISCONNECTS[kind], "code": 1001})

    def _running_applications(self) -> list[asyncio.Future[Any]]:
        instances = (d.get("application_instance") for d in self.connections.values())
        return [i for i in instances if i is not None and not i.done()]
