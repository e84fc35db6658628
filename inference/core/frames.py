"""The worker protocol: tagged frames, length-prefixed, over one stream socket.

Every frame is a msgpack-encoded `Command` (web to worker) or `Report` (worker
to web) behind a four-byte big-endian length. Sequence and prompt ids are chosen
by the web process and unique per worker. Durations are seconds measured inside
one process.
"""

from __future__ import annotations

import struct
from typing import Any

import msgspec

from inference.core.requests import ChatMessage, SamplingSpec

FRAME_BYTES_MAX = 256 * 1024 * 1024
_LENGTH = struct.Struct(">I")


# --- web -> worker


class LoadModel(msgspec.Struct, frozen=True, tag="load"):
    """Load the model in `path`; answered by `ModelLoaded` or `LoadFailed`."""

    path: str
    kind: str = "lm"
    max_rows: int = 32


class PreparePrompt(msgspec.Struct, frozen=True, tag="prepare"):
    """Template and tokenize; answered by `PromptPrepared` or `PrepareRefused`."""

    prompt_id: int
    messages: tuple[ChatMessage, ...]


class Generate(msgspec.Struct, frozen=True, tag="generate"):
    """Decode from a prepared prompt. Uses the prompt up; ends with a final delta."""

    sequence_id: int
    prompt_id: int
    sampling: SamplingSpec


class CancelSequence(msgspec.Struct, frozen=True, tag="cancel"):
    """Take a sequence out of the batch; its final delta says `cancelled`."""

    sequence_id: int


class DropPrompt(msgspec.Struct, frozen=True, tag="drop"):
    """Forget a prepared prompt that will not be generated from."""

    prompt_id: int


Command = LoadModel | PreparePrompt | Generate | CancelSequence | DropPrompt


# --- worker -> web


class WorkerHello(msgspec.Struct, frozen=True, tag="hello"):
    """The worker's engine is imported and waits for `LoadModel`."""

    pid: int
    versions: dict[str, str]
    device: str
    blas: str


class ModelLoaded(msgspec.Struct, frozen=True, tag="loaded"):
    """The model is in memory. `max_rows` is 1 where its cache cannot be batched."""

    load_s: float
    context_length: int
    weight_bytes: int
    max_rows: int
    vocabulary: int
    defaults: dict[str, Any]


class LoadFailed(msgspec.Struct, frozen=True, tag="load_failed"):
    """The model could not be loaded; the worker ends after this."""

    message: str


class PromptPrepared(msgspec.Struct, frozen=True, tag="prepared"):
    """A prompt waits in the worker under `prompt_id`."""

    prompt_id: int
    tokens: int
    prepare_s: float


class PrepareRefused(msgspec.Struct, frozen=True, tag="refused"):
    """The prompt is invalid; `code` is an OpenAI error code."""

    prompt_id: int
    code: str
    message: str
    param: str | None = None


# How a sequence may end beside OpenAI's finish reasons.
CANCELLED = "cancelled"
FAILED = "failed"


class SequenceDelta(msgspec.Struct, frozen=True, array_like=True):
    """What one sequence gained: `tokens` tokens and the text now safe to show.

    `finish` is empty, an OpenAI finish reason, `cancelled` or `failed`; after a
    finish the sequence has left the batch and its seat is free.
    `completion_tokens` is the count so far; tokens past a stop are not in it.
    """

    sequence_id: int
    text: str
    tokens: int
    finish: str = ""
    completion_tokens: int = 0
    message: str = ""

    def followed_by(self, later: SequenceDelta) -> SequenceDelta:
        """Return this delta and the next one of the same sequence as one."""
        return SequenceDelta(
            sequence_id=later.sequence_id,
            text=self.text + later.text,
            tokens=self.tokens + later.tokens,
            finish=later.finish,
            completion_tokens=later.completion_tokens,
            message=later.message,
        )


class StepReport(msgspec.Struct, frozen=True, tag="step"):
    """All deltas of one decode step (or of several, when the web was slower)."""

    deltas: tuple[SequenceDelta, ...]


class Heartbeat(msgspec.Struct, frozen=True, tag="beat"):
    """The MLX thread lives: rows decoding, sequences waiting, memory in bytes."""

    rows: int
    waiting: int
    active_bytes: int
    cache_bytes: int
    peak_bytes: int
    steps: int


Report = (
    WorkerHello
    | ModelLoaded
    | LoadFailed
    | PromptPrepared
    | PrepareRefused
    | StepReport
    | Heartbeat
)


class FrameError(ValueError):
    """The peer sent something that is not a frame."""


_encoder = msgspec.msgpack.Encoder()


def to_bytes(frame: Command | Report) -> bytes:
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
