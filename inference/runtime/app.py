"""The composed application, as views and consumers reach it.

`mlxsite` builds one `App` per process and installs it before the port is bound.
"""

from __future__ import annotations

import asyncio
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from msgspec.structs import asdict

from inference.core.bodies import BodyKeeper
from inference.core.callers import (
    CallerCheck,
    NobodyEnters,
    NoSessions,
    SessionCheck,
)
from inference.core.events import NoExposition, RequestRecord
from inference.core.limits import DEFAULT_LIMITS, Limits
from inference.core.origins import NO_ORIGINS, AllowedOrigins
from inference.core.outcomes import Operation
from inference.core.timing import Clock, SystemClock
from inference.core.trace import Client, ConnectionNote, RequestTrace, ServerIdentity
from inference.runtime.background import BackgroundAnswers
from inference.runtime.running import RunningRequests
from inference.runtime.unauthenticated import UnauthenticatedCallers

if TYPE_CHECKING:
    import concurrent.futures
    from collections.abc import Callable, Coroutine

    from inference.core.events import (
        Exposition,
        KeyChecker,
        RecordHealth,
        RequestObserver,
        StatsSource,
    )
    from inference.core.stored import ResponseStore
    from inference.runtime.service import ModelService

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class App:
    """Everything a request handler may use, each with one owner.

    `readers` may read the record under `/api/`, `scrapers` the figures of `/metrics`;
    `sessions` lets staff chat without a key. Pages of other `origins` than this
    server's own may call it too. Without `responses` nothing is stored.
    """

    service: ModelService
    observer: RequestObserver
    stats: StatsSource
    keys: KeyChecker
    identity: ServerIdentity
    record: RecordHealth
    limits: Limits = DEFAULT_LIMITS
    clock: Clock = field(default_factory=SystemClock)
    sse_keepalive_after_s: float = 15.0
    strict_params: bool = False
    allow_download: bool = False
    record_bodies: bool = False
    loop: asyncio.AbstractEventLoop | None = None
    version: str = ""
    started_at: float = field(default_factory=SystemClock().wall)
    allowed_hosts: tuple[str, ...] = ()
    origins: AllowedOrigins = NO_ORIGINS
    unauthenticated: UnauthenticatedCallers = field(
        default_factory=UnauthenticatedCallers
    )
    running: RunningRequests = field(default_factory=RunningRequests)
    responses: ResponseStore | None = None
    background: BackgroundAnswers = field(default_factory=BackgroundAnswers)
    readers: CallerCheck = field(default_factory=NobodyEnters)
    scrapers: CallerCheck = field(default_factory=NobodyEnters)
    sessions: SessionCheck = field(default_factory=NoSessions)
    exposition: Exposition = field(default_factory=NoExposition)

    @property
    def server(self) -> str:
        """The server's name with its version."""
        return f"mlx-server-{self.version}"

    def begin(
        self, make: Callable[[], Coroutine[Any, Any, T]]
    ) -> concurrent.futures.Future[T]:
        """Run a coroutine on the server's loop, from any thread.

        Raises:
            NotInstalledError: no loop runs here.
        """
        if self.loop is None or self.loop.is_closed():
            raise NotInstalledError("No model service runs in this process.")
        return asyncio.run_coroutine_threadsafe(make(), self.loop)

    def new_trace(
        self,
        *,
        endpoint: str,
        operation: Operation = Operation.OTHER,
        client: Client | None = None,
        connection: ConnectionNote | None = None,
    ) -> RequestTrace:
        """Begin the trace of one request, under a new request id."""
        record = RequestRecord(
            request_id=f"req-{uuid.uuid4().hex}",
            node=self.identity.node,
            boot_id=self.identity.boot_id,
            started_at=self.clock.wall(),
            endpoint=endpoint,
            **asdict(client or Client()),
        )
        return RequestTrace(
            record=record,
            operation=operation,
            observer=self.observer,
            clock=self.clock,
            connection=connection or ConnectionNote(),
            body=BodyKeeper() if self.record_bodies else None,
            register=self.running,
        )


class NotInstalledError(RuntimeError):
    """A handler ran in a process that serves no models."""


class _Installation:
    """Holds the process's one `App`."""

    app: App | None = None


def install_app(app: App | None) -> None:
    """Make `app` the one that `current_app` returns; `None` takes it away."""
    _Installation.app = app


def current_app() -> App:
    """Return the installed app.

    Raises:
        NotInstalledError: no server was started in this process.
    """
    if _Installation.app is None:
        raise NotInstalledError("No model service runs in this process.")
    return _Installation.app
