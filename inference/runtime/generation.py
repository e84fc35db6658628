"""One request on its way through a model: its steps, and the one exit of them all."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING

import msgspec

from inference.core.errors import InferenceError, QueueTimeoutError
from inference.core.outcomes import Phase
from inference.images.parts import refuse_images
from inference.runtime.checks import checked
from inference.runtime.deadline import Deadline
from inference.runtime.deltas import ChoiceCounter
from inference.runtime.sampling import (
    defaults_used,
    refuse_unknown_tokens,
    to_sampling_spec,
)

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from inference.core.frames import PromptPrepared
    from inference.core.images import ImageData
    from inference.core.requests import Delta, GenerationRequest, SamplingSpec
    from inference.core.trace import RequestTrace
    from inference.runtime.admission import Seats
    from inference.runtime.leases import Lease
    from inference.runtime.pool import ModelPool
    from inference.runtime.served import ServedModel
    from inference.runtime.streams import TokenStream
    from inference.runtime.worker import WorkerHandle


class Generation:
    """Owns one request's seats and stream, from the model to the last delta."""

    def __init__(
        self,
        request: GenerationRequest,
        *,
        model: ServedModel,
        trace: RequestTrace,
        pool: ModelPool,
    ) -> None:
        self._request = request
        self._model = model
        self._trace = trace
        self._pool = pool
        self._house = house = pool.house
        self._deadline = Deadline(
            house.config.request_timeout_s, house.clock, spent_s=trace.elapsed_s
        )

    async def run(self) -> AsyncGenerator[Delta, None]:
        """Yield the answer; however this is left, sequence and seats are let go.

        Raises:
            InferenceError: whatever kept the request from being answered.
        """
        self._model.queue.refuse_if_hopeless(self._request.n)
        step = self._trace.stopper.step
        self._request = await step(
            checked(self._request, self._trace, self._house.checkers)
        )
        images = await step(self._images())
        worker = await step(self._worker())
        # Nothing is awaited in between: what is ready now is leased now.
        with self._model.use.lease() as lease:
            async with aclosing(self._answer(worker, lease, images)) as deltas:
                async for delta in deltas:
                    yield delta

    async def _answer(
        self, worker: WorkerHandle, lease: Lease, images: tuple[ImageData, ...]
    ) -> AsyncGenerator[Delta, None]:
        """Yield the answer of a model that stays as long as `lease`."""
        refuse_unknown_tokens(self._request.sampling, vocabulary=self._model.vocabulary)
        step = self._trace.stopper.step
        prompt = await step(self._prepare(worker, images))
        seats = None
        try:
            seats = await step(self._seat())
            await step(
                self._pool.memory.for_prompt(
                    self._model, lease, tokens=prompt.tokens, rows=self._request.n
                )
            )
        except BaseException:
            worker.drop(prompt.prompt_id)
            if seats is not None:
                seats.release()
            raise
        async with aclosing(self._decode(worker, prompt, seats)) as deltas:
            async for delta in deltas:
                yield delta

    async def _images(self) -> tuple[ImageData, ...]:
        """Return the request's images; from here on its messages have no URLs."""
        if not self._request.has_images:
            return ()
        if self._model.source.kind != "vlm":
            refuse_images(self._request.messages)
        self._trace.enter(Phase.PREPARE)
        try:
            async with asyncio.timeout(self._patience_s()):
                loaded = await self._house.images.load(self._request.messages)
        except TimeoutError:
            self._say_if_late()
            raise QueueTimeoutError("The images were not there in time.") from None
        self._trace.got_images(loaded.images, loaded.fetch_s)
        self._request = msgspec.structs.replace(self._request, messages=loaded.messages)
        return loaded.images

    async def _worker(self) -> WorkerHandle:
        model, worker = self._model, self._model.current_worker()
        if model.is_ready and worker is not None:
            return worker
        self._trace.enter(Phase.LOADING)
        try:
            with self._house.waiting.place(), model.use.wanted():
                return await self._pool.ready(model, self._patience_s())
        except InferenceError:
            self._say_if_late()
            raise

    async def _prepare(
        self, worker: WorkerHandle, images: tuple[ImageData, ...]
    ) -> PromptPrepared:
        self._trace.enter(Phase.PREPARE)
        try:
            async with asyncio.timeout(self._patience_s()):
                prompt = await worker.prepare(self._request, images)
        except TimeoutError:
            self._say_if_late()
            raise QueueTimeoutError(
                "The prompt could not be prepared in time."
            ) from None
        self._trace.prepared(
            prompt.tokens, warnings=prompt.warnings, ignored=prompt.ignored
        )
        if images:
            self._trace.noted_image_tokens(prompt.image_tokens)
        return prompt

    async def _seat(self) -> Seats:
        self._trace.enter(Phase.QUEUED)
        try:
            seats = await self._model.queue.take(
                timeout_s=self._patience_s(), count=self._request.n
            )
        except InferenceError:
            self._say_if_late()
            raise
        self._trace.admitted()
        return seats

    async def _decode(
        self, worker: WorkerHandle, prompt: PromptPrepared, seats: Seats
    ) -> AsyncGenerator[Delta, None]:
        choices = self._request.n
        stream = None
        try:
            self._trace.enter(Phase.PREFILL)
            stream = worker.generate(
                prompt.prompt_id, self._spec(prompt), choices=choices
            )
            stream.when_left(seats.release)
            counter = ChoiceCounter(
                prompt_tokens=prompt.tokens,
                choices=choices,
                is_continuous=self._request.continuous_usage,
            )
            async with aclosing(self._deltas(stream, worker, counter)) as deltas:
                async for delta in deltas:
                    yield delta
        finally:
            if stream is None:
                seats.release()
            else:
                worker.cancel(stream)

    def _spec(self, prompt: PromptPrepared) -> SamplingSpec:
        model = self._model
        spec = to_sampling_spec(
            self._request.sampling,
            model_defaults=model.defaults,
            default_max_tokens=self._house.config.default_max_tokens,
            room_tokens=max(1, model.context_length - prompt.tokens),
        )
        self._trace.filled_in(defaults_used(self._request.sampling, spec))
        return spec

    async def _deltas(
        self, stream: TokenStream, worker: WorkerHandle, counter: ChoiceCounter
    ) -> AsyncGenerator[Delta, None]:
        def end_with(error: InferenceError) -> None:
            stream.fail(error)
            worker.cancel(stream)

        alarm = self._deadline.call_when_over(lambda: end_with(self._deadline.error()))
        try:
            with self._trace.stopper.by(end_with):
                while not counter.all_ended:
                    for gained in await stream.take():
                        if stream.prefix is not None:
                            counter.cached_tokens = stream.prefix.cached
                        choice = stream.choice_of(gained.sequence_id)
                        for delta, tokens in counter.deltas(gained, choice):
                            self._trace.arrived(delta, tokens)
                            yield delta
        finally:
            for warning in counter.warnings:
                self._trace.warn(warning)
            self._tell_how_it_went(stream)
            if alarm is not None:
                alarm.cancel()

    def _tell_how_it_went(self, stream: TokenStream) -> None:
        """Tell the trace what only the worker knows."""
        self._trace.model_holds(self._model.measured_bytes)
        occupancy, images = stream.occupancy, stream.images
        if occupancy.mean is not None:
            self._trace.decoded_among(occupancy.mean, occupancy.most)
        if images is not None:
            self._trace.encoded_images(cached=images.cached, seconds=images.encode_s)
        if stream.prefix is not None:
            self._trace.looked_up(
                cached=stream.prefix.cached, diverged_at=stream.prefix.diverged_at
            )

    # --- time

    def _patience_s(self) -> float:
        return self._deadline.left_s(self._house.config.queue_timeout_s)

    def _say_if_late(self) -> None:
        """Raise the request's own timeout if that is what ended the wait."""
        if self._deadline.is_over:
            raise self._deadline.error() from None
