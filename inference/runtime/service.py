"""The singleton model service: from a validated request to deltas, with one exit."""

from __future__ import annotations

import asyncio
import logging
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from inference.core.catalog import ModelCard, QueueSnapshot
from inference.core.errors import (
    InferenceError,
    QueueTimeoutError,
    ServerDrainingError,
    ShutdownInterruptError,
)
from inference.core.events import RequestObserver, ServerEvent
from inference.core.outcomes import Phase
from inference.core.timing import Clock, SystemClock
from inference.runtime.admission import WaitingRoom
from inference.runtime.checks import checked
from inference.runtime.deadline import Deadline
from inference.runtime.deltas import ChoiceCounter
from inference.runtime.registry import ModelRegistry
from inference.runtime.sampling import refuse_unknown_tokens, to_sampling_spec
from inference.runtime.served import ServedModel

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence

    from inference.core.frames import PromptPrepared
    from inference.core.requests import Delta, GenerationRequest, SamplingSpec
    from inference.core.trace import RequestTrace, ServerIdentity
    from inference.runtime.config import ModelSource, RuntimeConfig
    from inference.runtime.streams import TokenStream
    from inference.runtime.worker import WorkerHandle

logger = logging.getLogger("inference")

# For error events to reach the clients after the drain timeout.
LAST_WORDS_S = 2.0


class ModelService:
    """Owns the registry, the waiting room and the draining of all of it.

    Everything runs on one event loop; there is one service per process.
    """

    def __init__(
        self,
        *,
        config: RuntimeConfig,
        observer: RequestObserver,
        identity: ServerIdentity,
        clock: Clock | None = None,
    ) -> None:
        self._config = config
        self._observer = observer
        self._identity = identity
        self._clock = clock or SystemClock()
        self._room = WaitingRoom(places=config.queue_size)
        self._registry = ModelRegistry(any_model_name=config.any_model_name)
        self._live = 0
        self._nobody_live = asyncio.Event()
        self._nobody_live.set()
        self.is_draining = False

    # --- models

    def serve(self, source: ModelSource) -> ServedModel:
        """Add a model and begin to load it."""
        model = ServedModel(
            source,
            config=self._config,
            room=self._room,
            clock=self._clock,
            publish=self.publish,
        )
        self._registry.add(model)
        model.start()
        return model

    def find_model(self, name: str | None) -> ModelCard:
        """Return the card of the model that `name` means.

        Raises:
            ModelNotFoundError: nothing is served under that name.
        """
        return self._registry.find(name).card()

    def cards(self) -> tuple[ModelCard, ...]:
        """Return the cards of all models."""
        return tuple(model.card() for model in self._registry.all())

    @property
    def is_ready(self) -> bool:
        """Whether a worker can answer."""
        models = self._registry.all()
        return not self.is_draining and any(model.is_ready for model in models)

    def snapshot(self) -> QueueSnapshot:
        """Return the queues at this moment."""
        cards = self.cards()
        return QueueSnapshot(
            running=not self.is_draining,
            waiting=self._room.taken,
            max_waiting=self._room.places,
            active=sum(card.active for card in cards),
            max_concurrency=self._config.max_concurrency,
            models=cards,
        )

    def publish(
        self,
        kind: str,
        *,
        model: str = "",
        detail: str = "",
        data: dict[str, Any] | None = None,
    ) -> None:
        """Tell the observer that something happened to the server or a model."""
        self._observer.server_event(
            ServerEvent(
                kind=kind,
                at=self._clock.wall(),
                node=self._identity.node,
                boot_id=self._identity.boot_id,
                model=model,
                detail=detail,
                data=data or {},
            )
        )

    # --- generation

    async def stream(
        self, request: GenerationRequest, trace: RequestTrace
    ) -> AsyncGenerator[Delta, None]:
        """Yield the answer as it becomes readable.

        Tells `trace` the phases, the prompt's length and every delta, but not
        the end: that is the caller's. However this generator is left, its
        sequence is cancelled and its seat freed.

        Raises:
            InferenceError: whatever kept the request from being answered.
        """
        if self.is_draining:
            raise self._draining_error()
        self._live += 1
        self._nobody_live.clear()
        try:
            async with aclosing(self._generate(request, trace)) as deltas:
                async for delta in deltas:
                    yield delta
        finally:
            self._live -= 1
            if not self._live:
                self._nobody_live.set()

    async def _generate(
        self, request: GenerationRequest, trace: RequestTrace
    ) -> AsyncGenerator[Delta, None]:
        timeout_s = self._config.request_timeout_s
        deadline = Deadline(timeout_s, self._clock, spent_s=trace.elapsed_s)
        model = self._registry.find(request.model)
        trace.served_by(model.key)
        model.queue.refuse_if_hopeless(request.n)
        request = await checked(request, trace)
        worker = await self._worker_of(model, trace, deadline)
        refuse_unknown_tokens(request.sampling, vocabulary=model.vocabulary)
        prompt = await self._prepare(worker, request, trace, deadline)
        try:
            seats = await self._seat(model, request.n, trace, deadline)
        except BaseException:
            worker.drop(prompt.prompt_id)
            raise
        stream = None
        try:
            spec = self._spec_for(request, model, prompt)
            trace.enter(Phase.PREFILL)
            stream = worker.generate(prompt.prompt_id, spec, choices=request.n)
            stream.when_left(seats.release)
            counter = ChoiceCounter(
                prompt_tokens=prompt.tokens,
                choices=request.n,
                is_continuous=request.continuous_usage,
            )
            async with aclosing(
                self._deltas(stream, worker, counter, trace, deadline)
            ) as deltas:
                async for delta in deltas:
                    yield delta
        finally:
            if stream is None:
                seats.release()
            else:
                worker.cancel(stream)

    async def _worker_of(
        self, model: ServedModel, trace: RequestTrace, deadline: Deadline
    ) -> WorkerHandle:
        if not model.is_ready:
            trace.enter(Phase.LOADING)
        patience_s = deadline.left_s(self._config.queue_timeout_s)
        try:
            return await model.wait_ready(patience_s)
        except InferenceError:
            if deadline.is_over:
                raise deadline.error() from None
            raise

    async def _prepare(
        self,
        worker: WorkerHandle,
        request: GenerationRequest,
        trace: RequestTrace,
        deadline: Deadline,
    ) -> PromptPrepared:
        trace.enter(Phase.PREPARE)
        try:
            async with asyncio.timeout(deadline.left_s(self._config.queue_timeout_s)):
                prompt = await worker.prepare(request)
        except TimeoutError:
            if deadline.is_over:
                raise deadline.error() from None
            raise QueueTimeoutError(
                "The prompt could not be prepared in time."
            ) from None
        trace.prepared(prompt.tokens, warnings=prompt.warnings)
        return prompt

    async def _seat(
        self, model: ServedModel, count: int, trace: RequestTrace, deadline: Deadline
    ) -> Any:
        trace.enter(Phase.QUEUED)
        patience_s = deadline.left_s(self._config.queue_timeout_s)
        try:
            seats = await model.queue.take(timeout_s=patience_s, count=count)
        except InferenceError:
            if deadline.is_over:
                raise deadline.error() from None
            raise
        trace.admitted()
        return seats

    def _spec_for(
        self, request: GenerationRequest, model: ServedModel, prompt: PromptPrepared
    ) -> SamplingSpec:
        return to_sampling_spec(
            request.sampling,
            model_defaults=model.defaults,
            default_max_tokens=self._config.default_max_tokens,
            room_tokens=max(1, model.context_length - prompt.tokens),
        )

    async def _deltas(
        self,
        stream: TokenStream,
        worker: WorkerHandle,
        counter: ChoiceCounter,
        trace: RequestTrace,
        deadline: Deadline,
    ) -> AsyncGenerator[Delta, None]:
        def time_is_up() -> None:
            stream.fail(deadline.error())
            worker.cancel(stream)

        alarm = deadline.call_when_over(time_is_up)
        try:
            while not counter.all_ended:
                for gained in await stream.take():
                    choice = stream.choice_of(gained.sequence_id)
                    for delta, tokens in counter.deltas(gained, choice):
                        trace.arrived(delta, tokens)
                        yield delta
        finally:
            for warning in counter.warnings:
                trace.warn(warning)
            if alarm is not None:
                alarm.cancel()

    # --- the end

    async def drain(self, timeout_s: float, *, hurry: asyncio.Event) -> None:
        """Refuse what is new or waiting, let live streams end, then end them.

        They get `timeout_s` seconds, and none once `hurry` is set.
        """
        self.is_draining = True
        for model in self._registry.all():
            model.send_away(self._draining_error())
        if not await self._live_ended(timeout_s, hurry):
            error = ShutdownInterruptError("The server shut down before the end.")
            for worker in self._workers():
                worker.fail_streams(error)
            await self._live_ended(LAST_WORDS_S, asyncio.Event())

    @staticmethod
    def _draining_error() -> ServerDrainingError:
        return ServerDrainingError("The server is shutting down.")

    async def stop(self) -> None:
        """End all workers."""
        self.is_draining = True
        await asyncio.gather(*(model.stop() for model in self._registry.all()))

    def _workers(self) -> Sequence[WorkerHandle]:
        workers = (model.current_worker() for model in self._registry.all())
        return [worker for worker in workers if worker is not None]

    async def _live_ended(self, timeout_s: float, hurry: asyncio.Event) -> bool:
        """Return whether no generation is left, within the time there is."""
        waits = [
            asyncio.create_task(self._nobody_live.wait()),
            asyncio.create_task(hurry.wait()),
        ]
        await asyncio.wait(
            waits, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED
        )
        for wait in waits:
            wait.cancel()
        return self._nobody_live.is_set()
