"""A worker without a process: it does what a test tells it, in the loop's own time.

Nothing is computed. Its streams are the real ones, and what waits for it when it
dies ends as it does with a real one.
"""

from __future__ import annotations

import asyncio
import itertools
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from inference.core.errors import InvalidRequestError, WorkerDiedError
from inference.core.frames import (
    CANCELLED,
    Heartbeat,
    InputsEncoded,
    LoadProgress,
    ModelLoaded,
    PromptPrepared,
    SequenceDelta,
    WorkerHello,
)
from inference.core.requests import TextPrompt
from inference.runtime.pending import PendingEncoding
from inference.runtime.streams import TokenStream
from inference.runtime.worker_protocol import ModelLoadError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from inference.core.encoding import Encoded, EncoderInput, EncoderTraits
    from inference.core.errors import InferenceError
    from inference.core.images import ImageData
    from inference.core.models import ModelSource
    from inference.core.requests import Generate, Prompt, SamplingSpec
    from inference.runtime.config import RuntimeConfig
    from inference.runtime.worker_protocol import Worker

# What is left of a worker whose GPU had no memory: Metal's uncaught exception.
OUT_OF_MEMORY = (
    "killed by SIGABRT (libc++abi: terminating due to uncaught exception of type "
    "std::runtime_error: [METAL] Command buffer execution failed: Insufficient Memory)"
)
STREAM_BYTES = 1000


@dataclass(frozen=True)
class Conduct:
    """How a worker behaves; each token takes `step_s` and `kv_bytes`.

    `refuses` is why it loads no model, `dies_loading` what it dies of meanwhile.
    A sequence that is cancelled leaves after `leave_s`. `traits` is what it makes of
    inputs, and `unread` are texts that it refuses.
    """

    start_s: float = 0.0
    load_s: float = 1.0
    prepare_s: float = 0.0
    prefill_s: float = 1.0
    step_s: float = 1.0
    leave_s: float = 0.0
    stop_s: float = 0.0
    prompt_tokens: int = 8
    kv_bytes: int = 1
    refuses: str = ""
    dies_loading: str = ""
    traits: EncoderTraits | None = None
    unread: tuple[str, ...] = ()


@dataclass
class FakeWorkers:
    """Makes the workers of a service, and keeps them all."""

    conduct: Conduct = Conduct()
    made: list[FakeWorker] = field(default_factory=list)
    _of_key: dict[str, Conduct] = field(default_factory=dict)

    def __call__(self, config: RuntimeConfig) -> Callable[[], Worker]:
        """Return what a service makes its workers with."""
        return lambda: FakeWorker(self)

    def let(self, key: str, **conduct: object) -> None:
        """Have the workers of a model behave like this from their next load on."""
        self._of_key[key] = replace(self.conduct_of(key), **conduct)

    def conduct_of(self, key: str) -> Conduct:
        """Return how the workers of a model behave."""
        return self._of_key.get(key, self.conduct)

    def of(self, key: str) -> FakeWorker:
        """Return the newest worker of a model."""
        return [w for w in self.made if w.source and w.source.key == key][-1]

    @property
    def alive(self) -> list[FakeWorker]:
        """Those that have not ended."""
        return [worker for worker in self.made if worker.is_alive]


@dataclass
class _Sequence:
    stream: TokenStream
    tokens: int
    made: int = 0


class FakeWorker:
    """Implements `Worker`. Its deeds come by the loop's timers."""

    def __init__(self, workers: FakeWorkers) -> None:
        self._workers = workers
        workers.made.append(self)
        self._ids = itertools.count(1)
        self._loop = asyncio.get_running_loop()
        self._died = asyncio.Event()
        self._silent_since: float | None = None
        self._preparing = 0
        self.conduct = workers.conduct
        self.source: ModelSource | None = None
        self.prompts: set[int] = set()
        self.sequences: dict[int, _Sequence] = {}
        self.encodings: list[PendingEncoding] = []
        self.purges = 0
        self.hello: WorkerHello | None = None
        self.last_beat: Heartbeat | None = None
        self.on_load_progress: Callable[[LoadProgress], None] | None = None
        self.death_reason = ""

    # --- on command

    def die(self, reason: str) -> None:
        """End, and with it everything that waits."""
        if self._died.is_set():
            return
        self.death_reason = reason
        self._died.set()
        error = WorkerDiedError(f"The model's worker process ended: {reason}.")
        sequences, self.sequences = self.sequences, {}
        self.prompts.clear()
        for stream in {sequence.stream for sequence in sequences.values()}:
            stream.leave()
            stream.fail(error)
        for pending in self.encodings:
            pending.fail(error)

    def run_out_of_memory(self) -> None:
        """Die as MLX does where the GPU has no memory left."""
        self.die(OUT_OF_MEMORY)

    def hang(self) -> None:
        """Make no step and give no sign from now on."""
        self._silent_since = self._loop.time()

    def beat(self, active_bytes: int, cache_bytes: int = 0) -> None:
        """Say how much memory it holds."""
        self.last_beat = Heartbeat(0, 0, active_bytes, cache_bytes, 0, 0)

    def write(self, text: str) -> None:
        """Say a text of every sequence at once."""
        for sequence_id, sequence in tuple(self.sequences.items()):
            self._push(sequence_id, sequence, text)

    def finish(self, sequence_id: int) -> None:
        """End a sequence with what it has."""
        self._end(sequence_id, "stop")

    # --- its life

    @property
    def is_alive(self) -> bool:
        return self.hello is not None and not self._died.is_set()

    async def start(self) -> WorkerHello:
        await self._spend(self.conduct.start_s, ModelLoadError)
        self.hello = WorkerHello(pid=1, versions={}, device="fake", blas="")
        return self.hello

    async def load(
        self, source: ModelSource, *, max_rows: int, prefix_bytes: int = 0
    ) -> ModelLoaded:
        self.source = source
        self.conduct = conduct = self._workers.conduct_of(source.key)
        size = source.estimated_bytes
        for half in (1, 2):
            await self._spend(conduct.load_s / 2, ModelLoadError)
            if self.on_load_progress is not None:
                self.on_load_progress(LoadProgress(size * half // 2, size))
        if conduct.dies_loading:
            self.die(conduct.dies_loading)
            raise ModelLoadError(conduct.dies_loading)
        if conduct.refuses:
            raise ModelLoadError(conduct.refuses)
        self.beat(size)
        return ModelLoaded(
            load_s=conduct.load_s,
            context_length=4096,
            weight_bytes=size,
            max_rows=max_rows,
            vocabulary=1000,
            defaults={},
            kv_bytes_per_token=conduct.kv_bytes,
            encoder=conduct.traits,
        )

    async def wait_for_death(self) -> str:
        await self._died.wait()
        return self.death_reason

    async def stop(self) -> None:
        await asyncio.sleep(self.conduct.stop_s)
        self.die("exit status 0")

    def kill(self, why: str) -> None:
        self._loop.call_soon(self.die, why)

    @property
    def has_work(self) -> bool:
        return bool(self._preparing or self.sequences or self.encodings)

    def silent_s(self) -> float:
        since = self._silent_since
        return 0.0 if since is None else self._loop.time() - since

    async def purge(self, timeout_s: float) -> None:
        self.purges += 1
        if self.last_beat is not None:
            self.beat(self.last_beat.active_bytes)

    # --- its work

    async def prepare(
        self, prompt: Prompt, work: Generate, images: tuple[ImageData, ...] = ()
    ) -> PromptPrepared:
        self._preparing += 1
        try:
            await self._spend(self.conduct.prepare_s, WorkerDiedError)
        finally:
            self._preparing -= 1
        prompt_id = next(self._ids)
        self.prompts.add(prompt_id)
        return PromptPrepared(prompt_id, self.conduct.prompt_tokens, 0.0)

    def drop(self, prompt_id: int) -> None:
        self.prompts.discard(prompt_id)

    async def prepare_inputs(
        self, inputs: tuple[EncoderInput, ...], *, truncate_to: int | None
    ) -> PromptPrepared:
        self._preparing += 1
        try:
            await self._spend(self.conduct.prepare_s, WorkerDiedError)
        finally:
            self._preparing -= 1
        for place, each in enumerate(inputs):
            if isinstance(each, TextPrompt) and each.text in self.conduct.unread:
                raise InvalidRequestError("too odd.", figures={"place": place})
        prompt_id = next(self._ids)
        self.prompts.add(prompt_id)
        return PromptPrepared(prompt_id, self.conduct.prompt_tokens, 0.0)

    async def encode(
        self, prepared: PromptPrepared, *, dimensions: int | None, compares: bool
    ) -> Encoded:
        pending = PendingEncoding(prepared.tokens)
        self.encodings.append(pending)
        part = InputsEncoded(prepared.prompt_id, b"\0" * 8, width=2)
        self._loop.call_later(self.conduct.prefill_s, pending.add, part)
        try:
            return await pending.result
        finally:
            self.encodings.remove(pending)

    def decode(
        self,
        prompts: Sequence[tuple[int, SamplingSpec]],
        *,
        choices: int = 1,
        prompt_logprobs: int | None = None,
    ) -> TokenStream:
        if not self.is_alive:
            raise WorkerDiedError("The model's worker process has ended.")
        limits = {}
        for prompt_id, sampling in prompts:
            self.prompts.discard(prompt_id)
            for _ in range(choices):
                limits[next(self._ids)] = sampling.max_tokens
        stream = TokenStream(*limits, limit_bytes=STREAM_BYTES)
        for sequence_id, tokens in limits.items():
            self.sequences[sequence_id] = _Sequence(stream, tokens)
            first_s = self.conduct.prefill_s + self.conduct.step_s
            self._loop.call_later(first_s, self._step, sequence_id)
        return stream

    def cancel(self, stream: TokenStream) -> None:
        for sequence_id in stream.in_batch:
            self._loop.call_later(self.conduct.leave_s, self._end, sequence_id)

    def fail_streams(self, error: InferenceError) -> None:
        for stream in {sequence.stream for sequence in self.sequences.values()}:
            stream.fail(error)
            self.cancel(stream)
        for pending in self.encodings:
            pending.fail(error)

    # --- what it does by itself

    async def _spend(self, seconds: float, error: type[Exception]) -> None:
        """Let time pass, unless it dies meanwhile."""
        try:
            async with asyncio.timeout(seconds):
                await self._died.wait()
        except TimeoutError:
            return
        raise error(self.death_reason)

    def _step(self, sequence_id: int) -> None:
        sequence = self.sequences.get(sequence_id)
        if sequence is None or self._silent_since is not None:
            return
        sequence.made += 1
        if sequence.made == sequence.tokens:
            self._end(sequence_id, "length")
            return
        self._push(sequence_id, sequence, "a ")
        self._loop.call_later(self.conduct.step_s, self._step, sequence_id)

    def _push(
        self, sequence_id: int, sequence: _Sequence, text: str, finish: str = ""
    ) -> None:
        tokens = int(finish != CANCELLED)
        made = sequence.made
        delta = SequenceDelta(sequence_id, text, tokens, finish, completion_tokens=made)
        if not sequence.stream.push(delta, rows=len(self.sequences)):
            self.cancel(sequence.stream)

    def _end(self, sequence_id: int, finish: str = CANCELLED) -> None:
        if self._silent_since is not None:
            return
        if (sequence := self.sequences.pop(sequence_id, None)) is not None:
            self._push(sequence_id, sequence, "", finish)
