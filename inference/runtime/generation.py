"""What a request needs before its answer begins, taken one thing after the other."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, ExitStack
from typing import TYPE_CHECKING

import msgspec

from inference.core.outcomes import Phase
from inference.core.requests import TextPrompt, ToolMode
from inference.images.parts import refuse_images, replace_pictures_of_tools
from inference.runtime.answer import AdmittedAnswer
from inference.runtime.deltas import ChoiceCounter
from inference.runtime.kinds import refuse_to_write
from inference.runtime.sampling import (
    defaults_used,
    refuse_unknown_tokens,
    to_sampling_spec,
)
from inference.runtime.schema_check import SchemaCheck
from inference.runtime.steps import AdmissionSteps
from inference.runtime.truncation import NewestPart

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inference.core.errors import InferenceError
    from inference.core.frames import PromptPrepared
    from inference.core.images import ImageData
    from inference.core.requests import ChatPrompt, Generate, Prompt, SamplingSpec
    from inference.core.trace import RequestTrace
    from inference.runtime.leases import Lease
    from inference.runtime.pool import ModelPool
    from inference.runtime.served import ServedModel
    from inference.runtime.streams import TokenStream
    from inference.runtime.truncation import Images, Prepare
    from inference.runtime.worker_protocol import Worker


class Generation(AdmissionSteps):
    """One request's way into a model's batch.

    Each step leaves in the stack how what it took is given back.
    """

    def __init__(
        self,
        work: Generate,
        *,
        model: ServedModel,
        trace: RequestTrace,
        pool: ModelPool,
    ) -> None:
        super().__init__(model=model, trace=trace, pool=pool)
        self._work = work
        self._check: SchemaCheck | None = None

    async def admit(self, stack: AsyncExitStack) -> AdmittedAnswer:
        """Return the answer once it begins; `stack` lets go of all it holds.

        Raises:
            InferenceError: whatever kept the request from being answered.
        """
        refuse_to_write(self._model.source)
        self._model.queue.refuse_if_hopeless(self._work.rows)
        worker, stream, counter = await self._in_time(self._steps(stack))
        self._end_in_time(worker, stream, stack)
        tools = self._work.tools
        return AdmittedAnswer(
            stream,
            counter,
            self._trace,
            sent_names={} if tools is None else tools.sent_names,
            check=self._check,
        )

    async def prepare(self) -> list[PromptPrepared]:
        """Return what is known of the prepared prompts; nothing is answered.

        Raises:
            InferenceError: whatever kept them from being prepared.
        """
        refuse_to_write(self._model.source)
        async with AsyncExitStack() as stack:
            _, _, prompts, _ = await self._in_time(self._ready(stack))
        return prompts

    async def _ready(
        self, stack: AsyncExitStack
    ) -> tuple[Worker, Lease, list[PromptPrepared], ExitStack]:
        """Have the prompts prepared in a worker that stays.

        The last value holds them until decoding begins.
        """
        await self._check_grammar()
        images = await self._load_images()
        worker = await self._wait_for_worker()
        # Nothing is awaited in between: what is ready now is leased now.
        lease = stack.enter_context(self._model.use.lease())
        refuse_unknown_tokens(self._work.sampling, vocabulary=self._model.vocabulary)
        held = stack.enter_context(ExitStack())
        return worker, lease, await self._prepare(worker, images, held), held

    async def _steps(
        self, stack: AsyncExitStack
    ) -> tuple[Worker, TokenStream, ChoiceCounter]:
        # What is held is the stream's once decoding begins.
        worker, lease, prompts, held = await self._ready(stack)
        seats = await self._take_seats(held, self._work.rows)
        await self._pool.memory.for_prompt(
            self._model,
            lease,
            tokens=[prompt.tokens for prompt in prompts],
            rows_each=self._work.n,
        )
        stream = self._decode(worker, prompts)
        # A seat comes free when its sequence has left the worker's batch.
        held.pop_all()
        stream.when_left(seats.release)
        stack.callback(worker.cancel, stream)
        counter = ChoiceCounter(
            prompt_tokens=sum(prompt.tokens for prompt in prompts),
            choices=self._work.rows,
            is_continuous=self._work.continuous_usage,
            echoes=tuple(self._echoes(prompts)),
        )
        stack.callback(self._tell_how_it_went, stream, counter)
        return worker, stream, counter

    async def _check_grammar(self) -> None:
        """Have the answer's form checked, and leave out what cannot be enforced.

        Nothing of it is compiled here: that may take all time, all memory or the stack.
        """
        work, chat = self._work, self._work.chat
        tools = work.tools
        if tools is not None and tools.mode is ToolMode.NONE:
            tools = None
        if work.grammar is None and tools is None:
            return
        verdict = await self._context.checkers.judge(
            work.grammar, tools, request_id=self._trace.request_id
        )
        verdict.honour()
        for warning in verdict.warnings:
            self._trace.warn(warning)
        grammar = work.grammar
        self._check = SchemaCheck.of(self._context.checkers, verdict, grammar, tools)
        if grammar is not None and verdict.grammar:
            grammar = msgspec.structs.replace(grammar, source=verdict.grammar)
            self._work = work = msgspec.structs.replace(work, grammar=grammar)
        if tools is not None and chat is not None:
            chat = msgspec.structs.replace(chat, tools=verdict.apply(tools))
            self._work = msgspec.structs.replace(work, prompts=(chat,))

    async def _load_images(self) -> tuple[ImageData, ...]:
        """Return the request's images; from here on its messages have no URLs."""
        chat = self._work.chat
        if chat is None or not chat.image_count:
            return ()
        if self._model.source.kind != "vlm":
            self._go_on_unseeing(chat)
            return ()
        self._trace.enter(Phase.PREPARE)
        with self._patience("The images were not there in time.") as patience_s:
            async with asyncio.timeout(patience_s):
                loaded = await self._context.images.load(chat.messages)
        self._trace.got_images(loaded.images, loaded.fetch_s)
        chat = msgspec.structs.replace(chat, messages=loaded.messages)
        self._work = msgspec.structs.replace(self._work, prompts=(chat,))
        return loaded.images

    def _go_on_unseeing(self, chat: ChatPrompt) -> None:
        """Have words stand for the images that tools showed; the user's are refused."""
        messages, paths = replace_pictures_of_tools(chat.messages)
        refuse_images(messages)
        for path in paths:
            self._trace.warn(f"{path}: left out, the model cannot see")
        chat = msgspec.structs.replace(chat, messages=messages)
        self._work = msgspec.structs.replace(self._work, prompts=(chat,))

    async def _prepare(
        self, worker: Worker, images: Images, held: ExitStack
    ) -> list[PromptPrepared]:
        self._trace.enter(Phase.PREPARE)

        async def whole(prompt: Prompt, images: Images) -> PromptPrepared:
            prepared = await worker.prepare(prompt, self._work, images)
            held.callback(worker.drop, prepared.prompt_id)
            return prepared

        prepare: Prepare = whole
        if self._work.truncates:
            prepare = NewestPart(whole, worker.drop, self._trace.warn)
        with self._patience("The prompt could not be prepared in time.") as patience_s:
            async with asyncio.timeout(patience_s):
                prompts = [await prepare(each, images) for each in self._work.prompts]
        self._trace.prepared(prompts)
        return prompts

    def _decode(self, worker: Worker, prompts: list[PromptPrepared]) -> TokenStream:
        self._trace.enter(Phase.PREFILL)
        return worker.decode(
            [(prompt.prompt_id, self._spec(prompt)) for prompt in prompts],
            choices=self._work.n,
            prompt_logprobs=self._work.prompt_logprobs,
        )

    def _echoes(self, prompts: list[PromptPrepared]) -> Iterator[str]:
        """Yield for each choice the text of its prompt, where that is to be told."""
        if not self._work.echo:
            return
        for prompt, prepared in zip(self._work.prompts, prompts, strict=True):
            text = prompt.text if isinstance(prompt, TextPrompt) else prepared.text
            yield from [text] * self._work.n

    def _end_in_time(
        self, worker: Worker, stream: TokenStream, stack: AsyncExitStack
    ) -> None:
        """Have the answer end at the request's deadline, and when it is stopped."""

        def end_with(error: InferenceError) -> None:
            stream.fail(error)
            worker.cancel(stream)

        alarm = self._deadline.call_when_over(lambda: end_with(self._deadline.error()))
        if alarm is not None:
            stack.callback(alarm.cancel)
        stack.enter_context(self._trace.stopper.by(end_with))

    def _spec(self, prompt: PromptPrepared) -> SamplingSpec:
        model, asked = self._model, self._work.sampling
        spec = to_sampling_spec(
            asked,
            model_defaults=model.defaults,
            default_max_tokens=self._context.config.default_max_tokens,
            room_tokens=max(1, model.context_length - prompt.tokens),
        )
        self._trace.filled_in(defaults_used(asked, spec))
        return spec

    def _tell_how_it_went(self, stream: TokenStream, counter: ChoiceCounter) -> None:
        """Tell the trace what only the worker knows."""
        for warning in counter.warnings:
            self._trace.warn(warning)
        self._trace.model_holds(self._model.measured_bytes)
        if stream.occupancy.mean is not None:
            self._trace.decoded_among(stream.occupancy.mean, stream.occupancy.most)
        for images in stream.images:
            self._trace.encoded_images(cached=images.cached, seconds=images.encode_s)
        if stream.prefixes:
            self._trace.looked_up(
                cached=stream.cached_tokens,
                diverged_at=stream.prefixes[0].diverged_at,
            )
