"""The cast of the runtime's tests: a service on fake workers, in the loop's time."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from inference.core.encoding import Embed, EncoderRequest, Rerank
from inference.core.errors import InferenceError
from inference.core.events import RequestRecord, ServerEvent
from inference.core.models import ModelOptions, ModelSource
from inference.core.outcomes import ModelState, Operation
from inference.core.requests import ChatMessage, SamplingRequest, TextPart
from inference.core.trace import RequestTrace, ServerIdentity
from inference.runtime.config import RuntimeConfig
from inference.runtime.running import RunningRequests
from inference.runtime.service import ModelService
from inference.runtime.supplies import Supplies
from tests.asking import asking
from tests.runtime.fake_worker import Conduct, FakeWorkers

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from inference.core.catalog import ModelCard
    from inference.core.requests import ContentPart
    from inference.images.loader import ImageLoader
    from inference.runtime.served import ServedModel

# A test that waits longer, in the loop's time, waits for ever.
PATIENCE_S = 100_000.0
ENDLESS = 4000
NODE = ServerIdentity(node="node", boot_id="boot")


class LoopClock:
    """Reads the loop's time, which the tests make jump."""

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()

    def wall(self) -> float:
        return 1.8e9 + asyncio.get_running_loop().time()


@dataclass
class Notes:
    """Keeps what an observer is told."""

    events: list[ServerEvent] = field(default_factory=list)
    rows: dict[str, RequestRecord] = field(default_factory=dict)

    def request_started(self, record: RequestRecord) -> None: ...

    def request_finished(self, record: RequestRecord) -> None:
        self.rows[record.request_id] = record

    def server_event(self, event: ServerEvent) -> None:
        self.events.append(event)

    def server_sample(self, sample: Any) -> None: ...

    def request_bodies(self, bodies: Any) -> None: ...

    def kinds(self, model: str) -> list[str]:
        """Return what happened to a model, in order."""
        return [event.kind for event in self.events if event.model == model]

    def last(self, kind: str) -> ServerEvent:
        """Return the newest event of a kind."""
        return [event for event in self.events if event.kind == kind][-1]


class Request:
    """A client's request, run as the exchange runs one."""

    def __init__(self, stage: Stage, name: str, request: Any, read_s: float) -> None:
        self._stage = stage
        self._read_s = read_s
        self.trace = RequestTrace(
            record=RequestRecord(
                request_id=name,
                node=NODE.node,
                boot_id=NODE.boot_id,
                started_at=0.0,
                endpoint="/test",
            ),
            observer=stage.notes,
            clock=LoopClock(),
            operation=Operation.CHAT,
            register=stage.running,
        )
        self.task = asyncio.create_task(self._run(request))

    @property
    def phase(self) -> str:
        """What is done for it now."""
        return self.trace.record.phase

    @property
    def is_over(self) -> bool:
        return self.task.done()

    async def row(self) -> RequestRecord:
        """Return its last record, once it has ended."""
        await asyncio.wait((self.task,))
        return self._stage.notes.rows[self.trace.request_id]

    async def end(self) -> tuple[str, str, str, int]:
        """Return how it ended, why, in which phase and with which status."""
        row = await self.row()
        return row.outcome, row.reason, row.phase, row.http_status or 0

    async def hang_up(self) -> tuple[str, str, str, int]:
        """Leave as a client does, and return how it ended."""
        self.task.cancel()
        return await self.end()

    async def _run(self, request: Any) -> None:
        trace, service = self.trace, self._stage.service
        await asyncio.sleep(self._read_s)
        trace.open()
        is_encoding = isinstance(request, EncoderRequest)
        (trace.describe_inputs if is_encoding else trace.describe)(request)
        try:
            key = await service.key_of(request.model)
            if is_encoding:
                await self._encode(request.work, key)
                trace.finish()
                return
            async with AsyncExitStack() as stack:
                answer = await service.admit(request.work, key, trace, stack)
                while not answer.is_ended:
                    await answer.take()
            trace.finish()
        except InferenceError as error:
            trace.fail(error)
        finally:
            trace.close()

    async def _encode(self, work: Embed | Rerank, key: str) -> None:
        with self._stage.service.encoding(key, self.trace) as encoding:
            if isinstance(work, Embed):
                await encoding.embed(work)
            else:
                await encoding.rerank(work)


@dataclass
class Stage:
    """A service and everything a test looks at."""

    service: ModelService
    workers: FakeWorkers
    notes: Notes
    running: RunningRequests
    asked: list[Request] = field(default_factory=list)

    def ask(
        self,
        model: str | None = None,
        *parts: ContentPart,
        tokens: int = 3,
        read_s: float = 0.0,
        **said: Any,
    ) -> Request:
        """Send a request whose answer has so many tokens; reading it takes a while."""
        message = ChatMessage("user", parts or (TextPart("Hello"),))
        sampling = SamplingRequest(max_tokens=tokens)
        request = asking(message, model=model, sampling=sampling, **said)
        asked = Request(self, f"req-{len(self.asked)}", request, read_s)
        self.asked.append(asked)
        return asked

    def encode(self, model: str, work: Embed | Rerank) -> Request:
        """Ask an encoder."""
        request = EncoderRequest(work=work, model=model)
        asked = Request(self, f"req-{len(self.asked)}", request, 0.0)
        self.asked.append(asked)
        return asked

    async def load(self, key: str, size: int = 100, **options: Any) -> ModelCard:
        """Load a model by hand."""
        return await self.service.load(source(key, size, **options))

    def card(self, key: str) -> ModelCard:
        return next(card for card in self.service.cards() if card.key == key)

    def state(self, key: str) -> ModelState:
        return self.card(key).state

    def model(self, key: str) -> ServedModel:
        """Return the model itself, for what no card shows."""
        return self.service._served(key)

    def assert_all_given_back(self) -> None:
        """Nobody holds a place, a seat, a lease, memory, a prompt or a row."""
        snapshot = self.service.snapshot()
        assert (snapshot.active, snapshot.waiting) == (0, 0)
        for card in snapshot.models:
            assert (card.waiting, card.in_use) == (0, 0), card.key
            assert self.model(card.key).use.promised_bytes == 0
        for worker in self.workers.made:
            assert not worker.prompts
            assert not worker.sequences
            assert not worker.encodings
            assert not worker.has_work


def source(
    key: str, size: int = 100, *, path: str = "", kind: str = "lm", **options: Any
) -> ModelSource:
    """Return a model whose weights take so many bytes; nothing lies on the disk."""
    return ModelSource(
        key, path or f"/{key}", kind, ModelOptions(**options), estimated_bytes=size
    )


async def _look_at(source: ModelSource) -> ModelSource:
    return source


@asynccontextmanager
async def serving(
    *sources: str | ModelSource,
    conduct: Conduct | None = None,
    images: ImageLoader | None = None,
    **config: Any,
) -> AsyncIterator[Stage]:
    """Run a service whose models are loaded; at its end no worker is left."""
    config = {"machine_bytes": 10_000, "has_spare_worker": False} | config
    workers, notes = FakeWorkers(conduct or Conduct()), Notes()
    supplies = Supplies(
        workers=workers,
        look_at=_look_at,
        **({} if images is None else {"images": images}),
    )
    service = ModelService(
        config=RuntimeConfig(**config),
        observer=notes,
        identity=NODE,
        supplies=supplies,
        clock=LoopClock(),
    )
    stage = Stage(service, workers, notes, RunningRequests())
    known = [source(s) if isinstance(s, str) else s for s in sources]
    async with asyncio.timeout(PATIENCE_S):
        service.begin(known)
        for each in known:
            await service.wait_loaded(each.key)
        try:
            yield stage
        finally:
            await service.stop()
    assert not workers.alive
