"""The worker protocol: tagged frames, length-prefixed, over one stream socket.

Every frame is a msgpack-encoded `Command` (web to worker) or `Report` (worker
to web) behind a four-byte big-endian length. Sequence and prompt ids are chosen
by the web process and unique per worker. Durations are seconds measured inside
one process.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

import msgspec

from inference.core.encoding import EncoderInput, EncoderTraits
from inference.core.images import ImageData
from inference.core.models import ModelOptions
from inference.core.requests import (
    Grammar,
    Prompt,
    SamplingSpec,
    SpelledPrompt,
    TokenLogprob,
    ToolCallDelta,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

FRAME_BYTES_MAX = 256 * 1024 * 1024
_LENGTH = struct.Struct(">I")


# --- web -> worker


class LoadModel(msgspec.Struct, frozen=True, tag="load"):
    """Load the model in `path`; answered by `ModelLoaded` or `LoadFailed`.

    Up to `prefix_bytes` may be kept of what was computed for prompts and answers.
    """

    path: str
    kind: str = "lm"
    max_rows: int = 32
    prefix_bytes: int = 0
    options: ModelOptions = ModelOptions()


class PreparePrompt(msgspec.Struct, frozen=True, tag="prepare"):
    """Make tokens of a prompt; answered by `PromptPrepared` or `PrepareRefused`.

    What the answer must look like (`grammar`, forced tools) is compiled here.
    `images` are those of a conversation's image parts, in their order. With `spells`
    the answer tells what the prompt is made of.
    """

    prompt_id: int
    prompt: Prompt
    grammar: Grammar | None = None
    wants_logprobs: bool = False
    images: tuple[ImageData, ...] = ()
    spells: bool = False


class Decode(msgspec.Struct, frozen=True, tag="decode"):
    """Decode from a prepared prompt, once for each of `sequence_ids`.

    Uses the prompt up; it is prefilled once. Each sequence ends with a final
    delta. The k-th sequence samples with the seed plus k. With `prompt_logprobs` the
    first sequence's first delta tells how likely each token of the prompt was, and
    so many others at its place.
    """

    sequence_ids: tuple[int, ...]
    prompt_id: int
    sampling: SamplingSpec
    prompt_logprobs: int | None = None


class CancelSequence(msgspec.Struct, frozen=True, tag="cancel"):
    """Take a sequence out of the batch; its final delta says `cancelled`."""

    sequence_id: int


class DropPrompt(msgspec.Struct, frozen=True, tag="drop"):
    """Forget a prepared prompt, or inputs, that nobody waits for any more."""

    prompt_id: int


class PrepareInputs(msgspec.Struct, frozen=True, tag="prepare_inputs"):
    """Make tokens of inputs, cutting those of more than `truncate_to` tokens.

    Answered by `PromptPrepared` or `PrepareRefused`, whose figure `place` tells the
    input at fault.
    """

    prompt_id: int
    inputs: tuple[EncoderInput, ...]
    truncate_to: int | None = None


class EncodeInputs(msgspec.Struct, frozen=True, tag="encode"):
    """Encode prepared inputs, which are used up; answered by `InputsEncoded`.

    Vectors are cut to `dimensions`. `compares`: how like each input is to the first
    is told, in place of vectors.
    """

    prompt_id: int
    dimensions: int | None = None
    compares: bool = False


class Purge(msgspec.Struct, frozen=True, tag="purge"):
    """Give pooled buffers, and what is kept to save work, back to the system.

    Answered by a `Heartbeat`.
    """


class UseThreads(msgspec.Struct, frozen=True, tag="threads"):
    """Multiply with so many threads from the next step on, where a CPU computes."""

    count: int


Command = (
    LoadModel
    | PreparePrompt
    | Decode
    | CancelSequence
    | DropPrompt
    | PrepareInputs
    | EncodeInputs
    | Purge
    | UseThreads
)


# --- worker -> web


class WorkerHello(msgspec.Struct, frozen=True, tag="hello"):
    """The worker's engine is imported and waits for `LoadModel`.

    `memory_bytes` is what a GPU can hold; 0 where it is the machine's own memory.
    """

    pid: int
    versions: dict[str, str]
    device: str
    blas: str
    memory_bytes: int = 0

    @property
    def computes_on(self) -> str:
        """What arrays are computed on, and on a CPU with which BLAS."""
        return f"{self.device} ({self.blas})" if self.blas else self.device


class LoadProgress(msgspec.Struct, frozen=True, tag="load_progress"):
    """How far a load is; the total is what the weights take in memory."""

    done_bytes: int
    total_bytes: int


class ModelLoaded(msgspec.Struct, frozen=True, tag="loaded"):
    """The model is in memory. `max_rows` is 1 where its cache cannot be batched.

    A row's cache takes `kv_bytes_per_row` and, for each of its tokens up to
    `kv_window` (0: all), `kv_bytes_per_token`. `dialect` names how it calls tools;
    `notes` what of the options could not be done, and what is best effort. `encoder`
    is what it makes of inputs, where it is asked to.
    """

    load_s: float
    context_length: int
    weight_bytes: int
    max_rows: int
    vocabulary: int
    defaults: dict[str, Any]
    kv_bytes_per_token: int = 0
    kv_bytes_per_row: int = 0
    kv_window: int = 0
    capabilities: tuple[str, ...] = ()
    dialect: str = ""
    notes: tuple[str, ...] = ()
    encoder: EncoderTraits | None = None


class LoadFailed(msgspec.Struct, frozen=True, tag="load_failed"):
    """The model could not be loaded; the worker ends after this."""

    message: str


class PromptPrepared(msgspec.Struct, frozen=True, tag="prepared"):
    """A prompt waits in the worker under `prompt_id`.

    `warnings` say what could not be held to the letter, for the row. `ignored`
    names parameters that mean nothing to this model. `text` is that of a prompt
    of token ids; `spelled` is there where it was asked for.
    """

    prompt_id: int
    tokens: int
    prepare_s: float
    warnings: tuple[str, ...] = ()
    image_tokens: int = 0
    ignored: tuple[str, ...] = ()
    text: str = ""
    spelled: SpelledPrompt | None = None


class ImagesEncoded(msgspec.Struct, frozen=True, tag="images"):
    """The images of a prompt were encoded, for the first of its sequences.

    `cached` of them were known from before; the others took `encode_s`.
    """

    sequence_id: int
    cached: int
    encode_s: float


class PrefixFound(msgspec.Struct, frozen=True, tag="prefix"):
    """A prompt's prefill begins, for the first of its sequences.

    `cached` of its tokens need not be computed. `diverged_at` is how many it has in
    common with the most alike of the texts that are kept; None: nothing is kept.
    """

    sequence_id: int
    cached: int
    diverged_at: int | None = None


class PrepareRefused(msgspec.Struct, frozen=True, tag="refused"):
    """The prompt is invalid; `code` is an OpenAI error code, `figures` say why."""

    prompt_id: int
    code: str
    message: str
    param: str | None = None
    figures: dict[str, int] = {}


class InputsEncoded(msgspec.Struct, frozen=True, tag="encoded"):
    """Some of what was made of inputs: as in `Encoded`, in their order.

    `message` says why nothing could be made of them.
    """

    prompt_id: int
    values: bytes = b""
    width: int = 0
    is_last: bool = True
    message: str = ""


# How a sequence may end beside OpenAI's finish reasons.
CANCELLED = "cancelled"
FAILED = "failed"


class SequenceDelta(msgspec.Struct, frozen=True, array_like=True):
    """What one sequence gained: `tokens` tokens and the text now safe to show.

    `finish` is empty, an OpenAI finish reason, `cancelled` or `failed`; after a
    finish the sequence has left the batch and its seat is free.
    `completion_tokens` and `reasoning_tokens` are the counts so far; tokens past
    a stop are not in them. `message` says why it failed, or warns; `code` is that
    of a failure with a code of its own; `stop` the stop string that ended it.
    """

    sequence_id: int
    text: str
    tokens: int
    finish: str = ""
    completion_tokens: int = 0
    message: str = ""
    reasoning: str = ""
    reasoning_tokens: int = 0
    tool_calls: tuple[ToolCallDelta, ...] = ()
    logprobs: tuple[TokenLogprob, ...] = ()
    code: str = ""
    prompt_logprobs: tuple[TokenLogprob, ...] = ()
    stop: str = ""

    def followed_by(self, later: SequenceDelta) -> SequenceDelta:
        """Return this delta and the next one of the same sequence as one."""
        return SequenceDelta(
            sequence_id=later.sequence_id,
            text=self.text + later.text,
            tokens=self.tokens + later.tokens,
            finish=later.finish,
            completion_tokens=later.completion_tokens,
            message=later.message or self.message,
            reasoning=self.reasoning + later.reasoning,
            reasoning_tokens=later.reasoning_tokens,
            tool_calls=joined_calls((*self.tool_calls, *later.tool_calls)),
            logprobs=self.logprobs + later.logprobs,
            code=later.code,
            prompt_logprobs=self.prompt_logprobs or later.prompt_logprobs,
            stop=later.stop,
        )

    @property
    def size(self) -> int:
        """About how many bytes wait with it for their reader."""
        calls = sum(len(call.arguments) for call in self.tool_calls)
        told = (*self.logprobs, *self.prompt_logprobs)
        entries = sum(64 + 32 * len(entry.top) for entry in told)
        return len(self.text) + len(self.reasoning) + calls + entries


def joined_calls(pieces: Iterable[ToolCallDelta]) -> tuple[ToolCallDelta, ...]:
    """Return the pieces with those of one call that follow each other as one piece."""
    calls: list[tuple[ToolCallDelta, list[str]]] = []
    for piece in pieces:
        if calls and not piece.id and piece.index == calls[-1][0].index:
            calls[-1][1].append(piece.arguments)
        else:
            calls.append((piece, [piece.arguments]))
    return tuple(
        ToolCallDelta(first.index, first.id, first.name, "".join(arguments))
        for first, arguments in calls
    )


class StepReport(msgspec.Struct, frozen=True, tag="step"):
    """All deltas of one decode step (or of several, when the web was slower).

    `rows` is how many sequences the latest step decoded together.
    """

    deltas: tuple[SequenceDelta, ...]
    rows: int = 0


class Heartbeat(msgspec.Struct, frozen=True, tag="beat"):
    """The MLX thread lives: rows decoding, sequences waiting, memory in bytes.

    `host_bytes` is what the process took beside MLX's arrays since the model was
    loaded. `is_purged`: it answers a `Purge`.
    """

    rows: int
    waiting: int
    active_bytes: int
    cache_bytes: int
    peak_bytes: int
    steps: int
    host_bytes: int = 0
    is_purged: bool = False

    @property
    def held_bytes(self) -> int:
        """What the worker holds of the memory that models share."""
        return self.active_bytes + self.cache_bytes + self.host_bytes


Report = (
    WorkerHello
    | LoadProgress
    | ModelLoaded
    | LoadFailed
    | PromptPrepared
    | PrepareRefused
    | InputsEncoded
    | ImagesEncoded
    | PrefixFound
    | StepReport
    | Heartbeat
)


class FrameError(ValueError):
    """The peer sent something that is not a frame."""


_encoder = msgspec.msgpack.Encoder()


def to_bytes(frame: msgspec.Struct) -> bytes:
    """Encode one frame with its length prefix."""
    body = _encoder.encode(frame)
    return _LENGTH.pack(len(body)) + body


class FrameReader:
    """Cuts a byte stream into frames of one direction. Fed; never reads."""

    def __init__(self, kind: Any) -> None:
        self._decoder: msgspec.msgpack.Decoder[Any] = msgspec.msgpack.Decoder(kind)
        self._buffer = bytearray()

    @classmethod
    def for_commands(cls) -> FrameReader:
        """Return a reader of what the web process sends."""
        return cls(Command)

    @classmethod
    def for_reports(cls) -> FrameReader:
        """Return a reader of what a worker sends."""
        return cls(Report)

    def feed(self, data: bytes) -> list[Any]:
        """Take bytes, return the frames now complete.

        Raises:
            FrameError: the length is absurd or the body is no known frame.
        """
        self._buffer += data
        frames = []
        start = 0
        while len(self._buffer) - start >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(self._buffer, start)
            if length > FRAME_BYTES_MAX:
                raise FrameError(f"A frame of {length} bytes was announced.")
            end = start + _LENGTH.size + length
            if len(self._buffer) < end:
                break
            frames.append(self._decode(start + _LENGTH.size, end))
            start = end
        del self._buffer[:start]
        return frames

    def _decode(self, start: int, end: int) -> Any:
        try:
            return self._decoder.decode(bytes(self._buffer[start:end]))
        except msgspec.MsgspecError as error:
            raise FrameError(f"A frame could not be read: {error}") from error
