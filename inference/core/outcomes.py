"""The words for how a request ends, used unchanged in code, rows and charts."""

from __future__ import annotations

from enum import StrEnum


class Outcome(StrEnum):
    """How a request ended; `RUNNING` until it did."""

    RUNNING = "running"
    FINISHED = "finished"
    CANCELLED = "cancelled"
    REJECTED = "rejected"
    INVALID = "invalid"
    TIMED_OUT = "timed_out"
    FAILED = "failed"
    INTERRUPTED = "interrupted"


class Phase(StrEnum):
    """Where a request was when it ended, in the order it passes them."""

    RECEIVED = "received"
    LOADING = "loading"
    PREPARE = "prepare"
    QUEUED = "queued"
    PREFILL = "prefill"
    DECODE = "decode"


class FinishReason(StrEnum):
    """Why decoding ended, in OpenAI's words."""

    STOP = "stop"
    LENGTH = "length"
    TOOL_CALLS = "tool_calls"


class RequestKind(StrEnum):
    """What kind of generation a request asked for; empty for anything else."""

    TEXT = "text"
    TEXT_STREAM = "text_stream"
    VISION = "vision"
    VISION_STREAM = "vision_stream"
    OTHER = ""

    @classmethod
    def of(cls, *, vision: bool, stream: bool) -> RequestKind:
        """Return the kind for a generation with these two properties."""
        name = "vision" if vision else "text"
        return cls(f"{name}_stream" if stream else name)


class Operation(StrEnum):
    """What a request asks for, whatever the wire format; empty: nothing known yet."""

    CHAT = "chat"
    COMPLETION = "completion"
    MESSAGES = "messages"
    EMBEDDINGS = "embeddings"
    RERANK = "rerank"
    RESPONSES = "responses"
    COUNT = "count"
    MODEL_LOAD = "model_load"
    MODEL_UNLOAD = "model_unload"
    OTHER = ""

    @property
    def is_cancellable(self) -> bool:
        """Whether a model computes for it, so that it may be ended from outside."""
        return self in (
            Operation.CHAT,
            Operation.COMPLETION,
            Operation.MESSAGES,
            Operation.EMBEDDINGS,
            Operation.RERANK,
            Operation.RESPONSES,
        )


class ModelState(StrEnum):
    """What a model's worker is doing."""

    UNLOADED = "unloaded"
    DOWNLOADING = "downloading"
    LOADING = "loading"
    READY = "ready"
    RESTARTING = "restarting"
    FAILED = "failed"
    QUARANTINED = "quarantined"
    STOPPING = "stopping"
