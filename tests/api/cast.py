"""The cast of the wire's tests: a scripted service, a ledger, an ASGI client.

The service is a fake because these tests are about bytes on the wire; what
models say is tested elsewhere with real ones.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import msgspec
from django.utils.decorators import async_only_middleware

from inference.auth import SharedKey
from inference.core.catalog import ModelCard, QueueSnapshot
from inference.core.errors import ModelNotFoundError
from inference.core.events import (
    RequestBodies,
    RequestRecord,
    ServerEvent,
    ServerSample,
    StatsTotals,
)
from inference.core.frames import PromptPrepared
from inference.core.outcomes import ModelState, Phase
from inference.core.requests import ChatPrompt, Delta, Generate, Usage
from inference.core.trace import RequestTrace, ServerIdentity
from inference.runtime.app import App

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable
    from contextlib import AsyncExitStack

    from asgiref.typing import ASGI3Application

PATIENCE_S = 60.0
MODEL = "org/tiny"
USAGE = Usage(prompt_tokens=7, completion_tokens=2, cached_tokens=3)
HELLO = (
    Delta("Hel"),
    Delta("lo"),
    Delta("", finish_reason="stop", usage=USAGE),
)
ASK: dict[str, Any] = {"messages": [{"role": "user", "content": "Hi"}]}

Step = Delta | BaseException | asyncio.Event


class Play:
    """One request's steps, as they are taken."""

    def __init__(self, service: ScriptedService, trace: RequestTrace) -> None:
        self._service = service
        self._trace = trace
        self._steps = list(service.steps)

    @property
    def is_ended(self) -> bool:
        return not self._steps

    async def take(self, patience_s: float | None = None) -> list[Delta]:
        # As a worker would, it lets others run between two steps.
        await asyncio.sleep(0)
        step = self._steps[0]
        if isinstance(step, asyncio.Event):
            self._service.waiting.set()
            try:
                await asyncio.wait_for(step.wait(), patience_s)
            except TimeoutError:
                return []
        self._steps.pop(0)
        if isinstance(step, BaseException):
            raise step
        if not isinstance(step, Delta):
            return await self.take(patience_s) if self._steps else []
        self._trace.arrived(step, 1 if step.text else 0)
        return [step]


class ScriptedService:
    """Plays a list of steps for each request: say, wait for an event, raise."""

    def __init__(self, *steps: Step) -> None:
        self.steps: tuple[Step, ...] = steps or HELLO
        self.requests: list[ChatPrompt] = []
        self.ignored: tuple[str, ...] = ()
        self.schema_check = ""
        self.is_ready = True
        self.is_draining = False
        self.live = 0
        self.waiting = asyncio.Event()
        self.released = asyncio.Event()
        self.card = ModelCard(
            key=MODEL, source="/models/tiny", state=ModelState.READY, created=5
        )

    async def admit(
        self, work: Generate, key: str, trace: RequestTrace, stack: AsyncExitStack
    ) -> Play:
        assert work.chat is not None
        self.requests.append(work.chat)
        self.live += 1
        stack.callback(self._let_go)
        trace.served_by(key)
        trace.enter(Phase.PREPARE)
        trace.prepared(
            [PromptPrepared(1, USAGE.prompt_tokens, 0, ignored=self.ignored)]
        )
        trace.admitted()
        if self.schema_check:
            trace.checked(self.schema_check, "uniqueItems")
        return Play(self, trace)

    def _let_go(self) -> None:
        self.live -= 1
        self.released.set()

    async def key_of(self, name: str | None) -> str:
        return (await self.find_model(name)).key

    async def find_model(self, name: str | None) -> ModelCard:
        if name not in (None, MODEL):
            raise ModelNotFoundError(f"The model '{name}' does not exist.")
        return self.card

    def cards(self) -> tuple[ModelCard, ...]:
        return (self.card,)

    async def known_cards(self) -> tuple[ModelCard, ...]:
        return self.cards()

    def snapshot(self) -> QueueSnapshot:
        return QueueSnapshot(
            running=True,
            waiting=3,
            max_waiting=100,
            active=5,
            max_concurrency=2,
            models=self.cards(),
        )


@dataclass
class Ledger:
    """Remembers what was published, in order."""

    started: list[RequestRecord] = field(default_factory=list)
    finished: list[RequestRecord] = field(default_factory=list)
    bodies: list[RequestBodies] = field(default_factory=list)
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    def request_started(self, record: RequestRecord) -> None:
        self.started.append(record)

    def request_finished(self, record: RequestRecord) -> None:
        self.finished.append(record)
        self.ended.set()

    def server_event(self, event: ServerEvent) -> None:
        raise AssertionError(event)

    def server_sample(self, sample: ServerSample) -> None:
        raise AssertionError(sample)

    def request_bodies(self, bodies: RequestBodies) -> None:
        self.bodies.append(bodies)

    @property
    def only_row(self) -> RequestRecord:
        """The one row there is: started once, ended once, under one id."""
        assert len(self.started) == 1, self.started
        assert len(self.finished) == 1, self.finished
        assert self.started[0].request_id == self.finished[0].request_id
        return self.finished[0]


@dataclass
class FixedStats:
    """Totals that stand still."""

    total: StatsTotals = field(default_factory=StatsTotals)
    models: dict[str, StatsTotals] = field(default_factory=dict)

    @property
    def avg_tps(self) -> float:
        return self.total.avg_tps

    def totals(self) -> StatsTotals:
        return self.total

    def totals_by_model(self) -> dict[str, StatsTotals]:
        return self.models


class HealthyRecord:
    """A record that keeps up."""

    spool_lag_bytes = 0
    backlog_lines = 0
    dropped_total = 0
    last_error = ""


@dataclass
class House:
    """A server's parts, as one test sees them."""

    service: ScriptedService
    ledger: Ledger
    app: App

    @classmethod
    def build(cls, *steps: Step, key: str = "", **app_options: Any) -> House:
        service, ledger = ScriptedService(*steps), Ledger()
        app = App(
            service=service,  # type: ignore[arg-type]
            observer=ledger,
            stats=app_options.pop("stats", FixedStats()),
            keys=SharedKey(key),
            identity=ServerIdentity(node="test", boot_id="boot"),
            record=HealthyRecord(),
            **app_options,
        )
        return cls(service=service, ledger=ledger, app=app)


@dataclass
class Reply:
    """A whole HTTP response."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def error(self) -> dict[str, Any]:
        error = self.json["error"]
        assert set(error) == {"message", "type", "param", "code"}
        assert isinstance(error, dict)
        return error


class Exchange:
    """One HTTP request to an ASGI application, message by message.

    A `hold` stops the server's `send` until it is set, from `hold_from` on: a
    client that does not read.
    """

    def __init__(
        self,
        application: ASGI3Application,
        method: str,
        path: str,
        *,
        body: bytes | Iterable[bytes] = b"",
        headers: dict[str, str] | None = None,
    ) -> None:
        self.inbox: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.outbox: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.hold: asyncio.Event | None = None
        self.hold_from = b""
        self.held = asyncio.Event()
        declared = {"host": "testserver"}
        if isinstance(body, bytes):
            declared["content-length"] = str(len(body))
            body = [body]
        self._post(list(body))
        scope = _scope(method, path, declared | (headers or {}))
        self.task = asyncio.ensure_future(
            application(scope, self.inbox.get, self._send)  # type: ignore[arg-type]
        )

    def _post(self, chunks: list[bytes]) -> None:
        for i, chunk in enumerate(chunks):
            more = i + 1 < len(chunks)
            message = {"type": "http.request", "body": chunk, "more_body": more}
            self.inbox.put_nowait(message)

    async def _send(self, message: Any) -> None:
        if self.hold is not None and self.hold_from in message.get("body", b""):
            self.held.set()
            await self.hold.wait()
        self.outbox.put_nowait(message)

    async def next(self) -> dict[str, Any]:
        """Return the server's next message."""
        return await asyncio.wait_for(self.outbox.get(), PATIENCE_S)

    async def next_body(self) -> bytes:
        """Return the next bytes of the body."""
        message = await self.next()
        assert message["type"] == "http.response.body", message
        body: bytes = message.get("body", b"")
        return body

    async def reply(self) -> Reply:
        """Read the response to its end."""
        start = await self.next()
        assert start["type"] == "http.response.start"
        pieces: list[bytes] = []
        while True:
            message = await self.next()
            pieces.append(message.get("body", b""))
            if not message.get("more_body"):
                break
        await self.end()
        headers = {k.decode().lower(): v.decode() for k, v in start["headers"]}
        return Reply(start["status"], headers, b"".join(pieces))

    async def end(self) -> None:
        """Wait until the application is done with the request."""
        await asyncio.wait_for(self.task, PATIENCE_S)

    async def leave(self) -> None:
        """Hang up, and wait until the application has noticed."""
        self.inbox.put_nowait({"type": "http.disconnect"})
        await self.end()


def _scope(method: str, path: str, headers: dict[str, str]) -> dict[str, Any]:
    raw, _, query = path.partition("?")
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": unquote(raw),
        "raw_path": raw.encode(),
        "query_string": query.encode(),
        "headers": [(k.lower().encode(), v.encode()) for k, v in headers.items()],
        "client": ("127.0.0.9", 4711),
        "server": ("testserver", 80),
    }


@dataclass
class Client:
    """Sends requests to the application."""

    application: ASGI3Application

    def open(self, method: str, path: str, **options: Any) -> Exchange:
        return Exchange(self.application, method, path, **options)

    def post(
        self, body: Any, path: str = "/v1/chat/completions", **headers: str
    ) -> Exchange:
        """POST JSON, or bytes as they are; header names with `_` for `-`."""
        raw = body if isinstance(body, bytes) else msgspec.json.encode(body)
        sent = {"content-type": "application/json"}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        return self.open("POST", path, body=raw, headers=sent)

    async def ask(self, body: Any, **headers: str) -> Reply:
        """POST a chat request and read the whole answer.

        Its length is told, as most clients do: no thread has to read it, and a test
        in whose loop time jumps does not jump over that.
        """
        raw = body if isinstance(body, bytes) else msgspec.json.encode(body)
        headers.setdefault("content_length", str(len(raw)))
        return await self.post(raw, **headers).reply()

    async def get(self, path: str, **headers: str) -> Reply:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.open("GET", path, headers=sent).reply()


class AfterView:
    """Runs between a view's return and its response's first byte."""

    hook: Callable[[Any], Awaitable[None]] | None = None


@async_only_middleware
def after_view_middleware(get_response: Any) -> Any:
    """Let a test stand between the view and the server."""

    async def middleware(request: Any) -> Any:
        response = await get_response(request)
        if AfterView.hook is not None:
            await AfterView.hook(response)
        return response

    return middleware
