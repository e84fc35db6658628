"""What the runtime needs of a worker, whatever it is made of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from inference.core.encoding import Encoded, EncoderInput
    from inference.core.errors import InferenceError
    from inference.core.frames import (
        Heartbeat,
        LoadProgress,
        ModelLoaded,
        PromptPrepared,
        WorkerHello,
    )
    from inference.core.images import ImageData
    from inference.core.models import ModelSource
    from inference.core.requests import Generate, Prompt, SamplingSpec
    from inference.runtime.streams import TokenStream


class ModelLoadError(RuntimeError):
    """The worker could not load the model; the message says why."""


class Worker(Protocol):
    """Holds one model, in a process of its own, from its start to its death."""

    hello: WorkerHello | None
    last_beat: Heartbeat | None
    on_load_progress: Callable[[LoadProgress], None] | None

    # --- its life

    @property
    def is_alive(self) -> bool:
        """Whether it was started and has not ended."""

    async def start(self) -> WorkerHello:
        """Start it and wait until its engine is imported.

        Raises:
            ModelLoadError: it ended before it said hello.
        """

    async def load(
        self, source: ModelSource, *, max_rows: int, prefix_bytes: int = 0
    ) -> ModelLoaded:
        """Load a model and return what is known about it.

        Up to `prefix_bytes` may be kept of what is computed.

        Raises:
            ModelLoadError: the worker said why not, or died.
        """

    async def wait_for_death(self) -> str:
        """Return why it ended, once it has."""

    async def stop(self) -> None:
        """End it: ask, then insist."""

    def kill(self, why: str) -> None:
        """End it at once, as a crash would; `why` becomes the reason."""

    @property
    def has_work(self) -> bool:
        """Whether a prompt or a sequence waits for it."""

    def silent_s(self) -> float:
        """Seconds since it last showed life, or was given work."""

    async def purge(self, timeout_s: float) -> None:
        """Have pooled memory given back; `last_beat` is of after that, if in time."""

    # --- its work

    async def prepare(
        self, prompt: Prompt, work: Generate, images: tuple[ImageData, ...] = ()
    ) -> PromptPrepared:
        """Make tokens of one of the work's prompts, which then waits in the worker.

        Raises:
            InvalidRequestError: the prompt was refused.
            WorkerDiedError: the worker ended meanwhile.
        """

    def drop(self, prompt_id: int) -> None:
        """Let the worker forget a prompt, or inputs, that nobody waits for any more."""

    async def prepare_inputs(
        self, inputs: tuple[EncoderInput, ...], *, truncate_to: int | None
    ) -> PromptPrepared:
        """Make tokens of inputs, which then wait in the worker.

        Raises:
            InvalidRequestError: one was refused; the figure `place` tells which.
            WorkerDiedError: the worker ended meanwhile.
        """

    async def encode(
        self, prepared: PromptPrepared, *, dimensions: int | None, compares: bool
    ) -> Encoded:
        """Return what the model makes of prepared inputs; see `EncodeInputs`.

        Raises:
            InferenceError: the model failed, the worker ended, or it was told to stop.
        """

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

    def cancel(self, stream: TokenStream) -> None:
        """Take its sequences out of the batch; `stream.when_left` says when."""

    def fail_streams(self, error: InferenceError) -> None:
        """End every live stream, and every wait for an encoding, with `error`."""
