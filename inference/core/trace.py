"""The story of one request while it happens: owns phases, times and counts.

One task owns a trace and tells it what happens; the trace publishes two frozen
records, one when the body was accepted and one at the end, exactly once each.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec

from inference.core.outcomes import Outcome, Phase

if TYPE_CHECKING:
    from inference.core.errors import InferenceError
    from inference.core.events import RequestObserver, RequestRecord
    from inference.core.requests import Delta, GenerationRequest
    from inference.core.timing import Clock

# What nginx answers when the client has gone; no response carries it.
CLIENT_CLOSED_REQUEST = 499
# A name longer than this is no model's; the row keeps its beginning.
NAME_CHARS = 200

_DURATION_OF = {
    Phase.LOADING: "load_s",
    Phase.PREPARE: "prepare_s",
    Phase.QUEUED: "queue_s",
    Phase.PREFILL: "prefill_s",
    Phase.DECODE: "decode_s",
}


@dataclass(frozen=True, slots=True)
class ServerIdentity:
    """Which server wrote a record: the node's name and this run's id."""

    node: str
    boot_id: str


@dataclass(slots=True)
class ConnectionNote:
    """What the server knows of a connection's end before the application does.

    It travels in the scope; `ended_by` is empty unless the server ended it.
    """

    ended_by: str = ""

    def why_gone(self) -> str:
        """Return the reason for the row of a request whose client is gone."""
        return self.ended_by or "client_disconnected"


@dataclass(slots=True)
class _TextCount:
    """Words and characters of a text that arrives in pieces."""

    words: int = 0
    characters: int = 0
    _open_word: bool = False

    def add(self, text: str) -> None:
        if not text:
            return
        self.characters += len(text)
        self.words += len(text.split())
        if self._open_word and not text[0].isspace():
            self.words -= 1
        self._open_word = not text[-1].isspace()


@dataclass(slots=True)
class RequestTrace:
    """Mutable while the request runs; `close` publishes the last record."""

    record: RequestRecord
    observer: RequestObserver
    clock: Clock
    http_status: int = 200
    connection: ConnectionNote = field(default_factory=ConnectionNote)
    _born: float = 0.0
    _phase_since: float = 0.0
    _first_token_at: float | None = None
    _last_token_at: float | None = None
    _durations: dict[str, float] = field(default_factory=dict)
    _text: _TextCount = field(default_factory=_TextCount)
    _completion_tokens: int | None = None
    _opened: bool = False
    _closed: bool = False

    def __post_init__(self) -> None:
        self._born = self._phase_since = self.clock.monotonic()

    @property
    def request_id(self) -> str:
        """The id the client sees as `x-request-id`."""
        return self.record.request_id

    @property
    def elapsed_s(self) -> float:
        """Seconds since the request arrived."""
        return self.clock.monotonic() - self._born

    @property
    def is_open(self) -> bool:
        """Whether the first record has been published."""
        return self._opened

    def open(self) -> None:
        """Publish the first record: the body was accepted."""
        if not self._opened:
            self._opened = True
            self.observer.request_started(self.record)

    def asked_for(self, model: object, *, stream: object) -> None:
        """Note what a body names before it is known to be valid."""
        if isinstance(model, str):
            self._note(model_requested=model[:NAME_CHARS])
        self._note(stream=stream is True)

    def describe(self, request: GenerationRequest) -> None:
        """Note what was asked."""
        self._note(
            kind=request.kind,
            stream=request.stream,
            model_requested=request.model or "",
            params=request.params,
        )

    def authorised(self, key_name: str) -> None:
        """Note which key let the request in."""
        self._note(key_name=key_name)

    def served_by(self, model: str) -> None:
        """Note the key of the model that answers."""
        self._note(model=model)

    def enter(self, phase: Phase) -> None:
        """Leave the current phase and begin `phase`; times add up per phase."""
        now = self.clock.monotonic()
        self._leave_phase(now)
        self._note(phase=phase)

    def prepared(self, prompt_tokens: int) -> None:
        """Note the prompt's length in tokens."""
        self._note(prompt_tokens=prompt_tokens, cached_tokens=0)

    def admitted(self) -> None:
        """Note that the request got its seat."""
        self._note(admitted=True)

    def arrived(self, delta: Delta, tokens: int) -> None:
        """Count a delta that carries `tokens` tokens (0 for a bare ending)."""
        now = self.clock.monotonic()
        if tokens:
            if self._first_token_at is None:
                self._first_token_at = now
                self.enter(Phase.DECODE)
            self._last_token_at = now
        self._completion_tokens = (self._completion_tokens or 0) + tokens
        self._text.add(delta.text)
        if delta.usage is not None:
            self._completion_tokens = delta.usage.completion_tokens
            self._note(cached_tokens=delta.usage.cached_tokens)
        if delta.finish_reason is not None:
            self._note(finish_reason=delta.finish_reason)

    def finish(self) -> None:
        """The request was answered as asked."""
        self._end(Outcome.FINISHED, "")

    def fail(self, error: InferenceError) -> None:
        """The request ended with an error; later calls change nothing."""
        if self.record.outcome is not Outcome.RUNNING:
            return
        self._note(error=error.message, error_param=error.param or "")
        self.http_status = error.http_status
        self._end(error.outcome, error.code)

    def cancel(self, reason: str = "") -> None:
        """The client has gone or took the request back."""
        if self.record.outcome is Outcome.RUNNING:
            self.http_status = CLIENT_CLOSED_REQUEST
            self._end(Outcome.CANCELLED, reason or self.connection.why_gone())

    def close(self) -> None:
        """Publish the last record, once. A trace without an end was cancelled."""
        if self._closed:
            return
        self.cancel()
        self._closed = True
        if self._opened:
            self.observer.request_finished(self._final_record())

    def _note(self, **changes: object) -> None:
        self.record = msgspec.structs.replace(self.record, **changes)

    def _end(self, outcome: Outcome, reason: str) -> None:
        if self.record.outcome is Outcome.RUNNING:
            self._leave_phase(self.clock.monotonic())
            self._note(outcome=outcome, reason=reason)

    def _leave_phase(self, now: float) -> None:
        name = _DURATION_OF.get(self.record.phase)
        if name is not None:
            spent = now - self._phase_since
            self._durations[name] = self._durations.get(name, 0.0) + spent
        self._phase_since = now

    def _final_record(self) -> RequestRecord:
        durations: dict[str, float | None] = dict(self._durations)
        total_s = self.elapsed_s
        tokens = self._completion_tokens
        itl_mean_s = decode_tps = tps = ttft_s = None
        if self._first_token_at is not None and self._last_token_at is not None:
            ttft_s = self._first_token_at - self._born
            # Decode ends with its last token, not with the client's last byte.
            decode_s = self._last_token_at - self._first_token_at
            durations["decode_s"] = decode_s
            if tokens and tokens > 1 and decode_s > 0:
                itl_mean_s = decode_s / (tokens - 1)
                decode_tps = (tokens - 1) / decode_s
            working_s = total_s - self._durations.get("queue_s", 0.0)
            if tokens and working_s > 0:
                tps = tokens / working_s
        return msgspec.structs.replace(
            self.record,
            finished_at=self.record.started_at + total_s,
            http_status=self.http_status,
            completion_tokens=tokens,
            words=self._text.words,
            characters=self._text.characters,
            total_s=total_s,
            ttft_s=ttft_s,
            itl_mean_s=itl_mean_s,
            decode_tps=decode_tps,
            tps=tps,
            **durations,
        )
