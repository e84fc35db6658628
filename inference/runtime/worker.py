"""A worker process seen from the web process: its socket, its calls, its death."""

from __future__ import annotations

import asyncio
import itertools
from typing import TYPE_CHECKING, Any

from inference.core.errors import InferenceError, InvalidRequestError, WorkerDiedError
from inference.core.frames import (
    CancelSequence,
    Command,
    Decode,
    DropPrompt,
    EncodeInputs,
    Heartbeat,
    ImagesEncoded,
    InputsEncoded,
    LoadFailed,
    LoadModel,
    LoadProgress,
    ModelLoaded,
    PrefixFound,
    PrepareInputs,
    PreparePrompt,
    PrepareRefused,
    PromptPrepared,
    Purge,
    StepReport,
    UseThreads,
    WorkerHello,
    to_bytes,
)
from inference.runtime.pending import PendingEncoding
from inference.runtime.process import ReportProtocol, WorkerProcess
from inference.runtime.streams import TokenStream
from inference.runtime.worker_protocol import ModelLoadError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from inference.core.encoding import Encoded, EncoderInput
    from inference.core.frames import SequenceDelta
    from inference.core.images import ImageData
    from inference.core.models import ModelSource
    from inference.core.requests import Generate, Prompt, SamplingSpec
    from inference.runtime.cores import CoreShare


class WorkerHandle:
    """Owns one worker process and everything that waits for its answers."""

    def __init__(
        self,
        *,
        stream_limit_bytes: int,
        openblas: Path | None = None,
        cores: CoreShare | None = None,
    ) -> None:
        self._stream_limit_bytes = stream_limit_bytes
        self._ids = itertools.count(1)
        self._cores = cores
        self._process = WorkerProcess(openblas=openblas)
        self._transport: asyncio.WriteTransport | None = None
        self._prompts: dict[int, asyncio.Future[PromptPrepared]] = {}
        self._streams: dict[int, TokenStream] = {}
        self._encodings: dict[int, PendingEncoding] = {}
        self._dying: asyncio.Task[None] | None = None
        loop = asyncio.get_running_loop()
        self._hello: asyncio.Future[WorkerHello] = loop.create_future()
        self._loaded: asyncio.Future[ModelLoaded] = loop.create_future()
        self._lost = asyncio.Event()
        self._heard_at = loop.time()
        self._beat_waiters: list[asyncio.Future[None]] = []
        self.on_load_progress: Callable[[LoadProgress], None] | None = None
        self.last_beat: Heartbeat | None = None
        self.hello: WorkerHello | None = None
        self.death_reason = ""

    @property
    def is_alive(self) -> bool:
        """Whether the socket is open."""
        return self._transport is not None and not self._lost.is_set()

    async def start(self) -> WorkerHello:
        """Start the process and wait until its engine is imported.

        Raises:
            ModelLoadError: the process ended before it said hello.
        """
        ours = await self._process.start()
        transport, _ = await asyncio.get_running_loop().create_connection(
            lambda: ReportProtocol(self._on_report, self._on_lost), sock=ours
        )
        self._transport = transport
        self._dying = asyncio.create_task(self._await_death())
        self.hello = await self._hello
        return self.hello

    async def load(
        self, source: ModelSource, *, max_rows: int, prefix_bytes: int = 0
    ) -> ModelLoaded:
        """Load a model and return what is known about it.

        Up to `prefix_bytes` may be kept of what is computed.

        Raises:
            ModelLoadError: the worker said why not, or died.
        """
        command = LoadModel(
            path=source.path,
            kind=source.kind,
            max_rows=max_rows,
            prefix_bytes=prefix_bytes,
            options=source.options,
        )
        try:
            self._send(command)
        except WorkerDiedError as error:
            raise ModelLoadError(error.message) from None
        return await self._loaded

    async def purge(self, timeout_s: float) -> None:
        """Have pooled memory given back; `last_beat` is of after that, if in time."""
        if not self.is_alive:
            return
        waiter = asyncio.get_running_loop().create_future()
        self._beat_waiters.append(waiter)
        self._send(Purge())
        await asyncio.wait((waiter,), timeout=timeout_s)

    async def prepare(
        self, prompt: Prompt, work: Generate, images: tuple[ImageData, ...] = ()
    ) -> PromptPrepared:
        """Make tokens of one of the work's prompts, which then waits in the worker.

        Raises:
            InvalidRequestError: the prompt was refused.
            WorkerDiedError: the worker ended meanwhile.
        """
        command = PreparePrompt(
            prompt_id=next(self._ids),
            prompt=prompt,
            grammar=work.grammar,
            wants_logprobs=work.sampling.logprobs is not None,
            images=images,
            spells=work.spells,
        )
        try:
            return await self._prepared(command)
        except OverflowError:
            raise InvalidRequestError(
                "An integer is larger than 64 bits.",
                param="tools" if work.tools else "chat_template_kwargs",
            ) from None

    async def prepare_inputs(
        self, inputs: tuple[EncoderInput, ...], *, truncate_to: int | None
    ) -> PromptPrepared:
        """Make tokens of inputs, which then wait in the worker.

        Raises:
            InvalidRequestError: one was refused; the figure `place` tells which.
            WorkerDiedError: the worker ended meanwhile.
        """
        return await self._prepared(PrepareInputs(next(self._ids), inputs, truncate_to))

    async def _prepared(self, command: PreparePrompt | PrepareInputs) -> PromptPrepared:
        prompt_id = command.prompt_id
        waiting = asyncio.get_running_loop().create_future()
        self._prompts[prompt_id] = waiting
        try:
            self._send(command)
            prepared: PromptPrepared = await waiting
        except asyncio.CancelledError:
            self.drop(prompt_id)
            raise
        finally:
            self._prompts.pop(prompt_id, None)
        return prepared

    async def encode(
        self, prepared: PromptPrepared, *, dimensions: int | None, compares: bool
    ) -> Encoded:
        """Return what the model makes of prepared inputs; see `EncodeInputs`.

        Raises:
            InferenceError: the model failed, the worker ended, or it was told to stop.
        """
        prompt_id = prepared.prompt_id
        self._send(EncodeInputs(prompt_id, dimensions, compares))
        pending = self._encodings[prompt_id] = PendingEncoding(prepared.tokens)
        self._note_work()
        try:
            return await pending.result
        finally:
            self._encodings.pop(prompt_id, None)
            self._note_work()

    def drop(self, prompt_id: int) -> None:
        """Let the worker forget a prompt, or inputs, that nobody waits for any more."""
        if self.is_alive:
            self._send(DropPrompt(prompt_id=prompt_id))

    def decode(
        self,
        prompts: Sequence[tuple[int, SamplingSpec]],
        *,
        choices: int = 1,
        prompt_logprobs: int | None = None,
    ) -> TokenStream:
        """Begin decoding from prepared prompts, `choices` times from each.

        With `prompt_logprobs` the prompts are scored before, and so many likeliest
        tokens told at each place.

        Raises:
            WorkerDiedError: the worker has ended.
        """
        ids: list[int] = []
        for prompt_id, sampling in prompts:
            own = tuple(next(self._ids) for _ in range(choices))
            self._send(Decode(own, prompt_id, sampling, prompt_logprobs))
            ids += own
        stream = TokenStream(*ids, limit_bytes=self._stream_limit_bytes)
        self._streams.update(dict.fromkeys(ids, stream))
        self._note_work()
        return stream

    def use_threads(self, count: int) -> None:
        """Have it multiply with so many threads, as those that compute share cores."""
        if self.is_alive:
            self._send(UseThreads(count=count))

    def cancel(self, stream: TokenStream) -> None:
        """Take its sequences out of the batch; `stream.when_left` says when."""
        for sequence_id in stream.in_batch:
            if self.is_alive:
                self._send(CancelSequence(sequence_id=sequence_id))

    def fail_streams(self, error: InferenceError) -> None:
        """End every live stream, and every wait for an encoding, with `error`."""
        for stream in set(self._streams.values()):
            stream.fail(error)
            self.cancel(stream)
        for pending in self._encodings.values():
            pending.fail(error)

    async def wait_for_death(self) -> str:
        """Return why the process ended, once it has."""
        if self._dying is not None:
            # Not `gather`: whoever is cancelled here must not cancel the watch.
            await asyncio.wait((self._dying,))
        return self.death_reason

    async def stop(self) -> None:
        """End the process: close its socket, then insist."""
        if self._transport is not None:
            self._transport.close()
        await self.wait_for_death()

    def kill(self, why: str) -> None:
        """End the process at once, as a crash would; `why` becomes the reason."""
        self._process.kill(why)

    @property
    def has_work(self) -> bool:
        """Whether a prompt, a sequence or an encoding waits for the worker."""
        return bool(self._prompts or self._streams or self._encodings)

    def silent_s(self) -> float:
        """Seconds since the MLX thread last said anything, or was given work.

        Its heartbeats come twice a second while it works and each second while
        it idles; the other threads of a worker say only what it lets them.
        """
        return asyncio.get_running_loop().time() - self._heard_at

    def _note_work(self) -> None:
        """Tell who shares the cores whether this worker computes."""
        if self._cores is not None and self.is_alive:
            computes = bool(self._streams or self._encodings)
            self._cores.note(self, computes=computes)

    # --- what the worker says

    def _on_report(self, report: Any) -> None:
        if isinstance(report, (StepReport, Heartbeat, LoadProgress)):
            self._heard_at = asyncio.get_running_loop().time()
        match report:
            case StepReport():
                for delta in report.deltas:
                    self._on_delta(delta, report.rows)
            case Heartbeat():
                self._on_beat(report)
            case ImagesEncoded() | PrefixFound():
                self._on_beginning(report)
            case PromptPrepared():
                self._on_prepared(report)
            case PrepareRefused():
                self._on_refused(report)
            case InputsEncoded():
                if report.prompt_id in self._encodings:
                    self._encodings[report.prompt_id].add(report)
            case _:
                self._on_start_report(report)

    def _on_start_report(self, report: Any) -> None:
        match report:
            case WorkerHello():
                self._hello.set_result(report)
            case LoadProgress():
                if self.on_load_progress is not None:
                    self.on_load_progress(report)
            case ModelLoaded():
                self._loaded.set_result(report)
            case LoadFailed():
                self._loaded.set_exception(ModelLoadError(report.message))

    def _on_beat(self, beat: Heartbeat) -> None:
        self.last_beat = beat
        if beat.is_purged:
            waiters, self._beat_waiters = self._beat_waiters, []
            for waiter in waiters:
                if not waiter.done():
                    waiter.set_result(None)

    def _on_beginning(self, report: ImagesEncoded | PrefixFound) -> None:
        stream = self._streams.get(report.sequence_id)
        if stream is None:
            return
        if isinstance(report, ImagesEncoded):
            stream.images.append(report)
        else:
            stream.prefixes.append(report)

    def _on_delta(self, delta: SequenceDelta, rows: int) -> None:
        stream = self._streams.get(delta.sequence_id)
        if stream is None:
            return
        if delta.finish:
            del self._streams[delta.sequence_id]
            self._note_work()
        if not stream.push(delta, rows=rows):
            self.cancel(stream)

    def _on_prepared(self, report: PromptPrepared) -> None:
        waiting = self._prompts.get(report.prompt_id)
        if waiting is None or waiting.done():
            self.drop(report.prompt_id)
        else:
            waiting.set_result(report)

    def _on_refused(self, report: PrepareRefused) -> None:
        waiting = self._prompts.get(report.prompt_id)
        if waiting is not None and not waiting.done():
            waiting.set_exception(_to_error(report))

    # --- its end

    def _on_lost(self) -> None:
        self._lost.set()

    async def _await_death(self) -> None:
        await self._lost.wait()
        self.death_reason = await self._process.wait()
        self._fail_everything(self.death_reason)

    def _fail_everything(self, reason: str) -> None:
        if self._cores is not None:
            self._cores.forget(self)
        self._fail_start(reason)
        error = WorkerDiedError(f"The model's worker process ended: {reason}.")
        for waiting in self._prompts.values():
            if not waiting.done():
                waiting.set_exception(error)
        for beat_waiter in self._beat_waiters:
            if not beat_waiter.done():
                beat_waiter.set_result(None)
        for pending in self._encodings.values():
            pending.fail(error)
        streams, self._streams = self._streams, {}
        for stream in set(streams.values()):
            stream.leave()
            stream.fail(error)

    def _fail_start(self, reason: str) -> None:
        for future in (self._hello, self._loaded):
            if not future.done():
                future.set_exception(ModelLoadError(reason))
            if not future.cancelled():
                future.exception()  # taken, for nobody may be waiting for it

    def _send(self, command: Command) -> None:
        if not self.is_alive or self._transport is None:
            raise WorkerDiedError("The model's worker process has ended.")
        self._transport.write(to_bytes(command))


def _to_error(report: PrepareRefused) -> InferenceError:
    if report.code == "internal_error":
        return InferenceError(report.message, param=report.param)
    return InvalidRequestError(
        report.message, param=report.param, code=report.code, figures=report.figures
    )
