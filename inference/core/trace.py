"""The story of one request while it happens: owns phases, times and counts.

One task owns a trace and tells it what happens; the trace publishes two frozen
records, one when the body was accepted and one at the end, exactly once each.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec

from inference.core.answer_count import AnswerCount
from inference.core.decode_times import DecodeTimes
from inference.core.described import TAG_CHARS, structure_of, tags_of
from inference.core.estimates import with_estimates
from inference.core.events import RequestBodies, RequestObserver, RequestRecord
from inference.core.outcomes import Operation, Outcome, Phase
from inference.core.running import RunningRequest
from inference.core.stopping import Stopper

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from inference.core.bodies import BodyKeeper
    from inference.core.encoding import EncoderRequest
    from inference.core.errors import InferenceError
    from inference.core.frames import PromptPrepared
    from inference.core.images import ImageData
    from inference.core.requests import CountRequest, Delta, InferenceRequest, Prompt
    from inference.core.running import RunningRegister
    from inference.core.timing import Clock

# What nginx answers when the client has gone; no response carries it.
CLIENT_CLOSED_REQUEST = 499
# A name longer than this is no model's; the row keeps its beginning.
NAME_CHARS = 200
# A row keeps this many warnings, each cut to this length.
WARNINGS_MAX = 10
WARNING_CHARS = 200

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


class Client(msgspec.Struct, frozen=True, kw_only=True):
    """Who asks, as the connection and its headers say; nothing of it is proven."""

    client_host: str = ""
    user_agent: str = ""
    client_request_id: str = ""
    session_id: str = ""

    @classmethod
    def of(cls, headers: Mapping[str, str], host: object, *, limit: int) -> Client:
        """Return who a request's headers say it is from, each cut to `limit`.

        `headers` are looked up by lower-case names.
        """
        return cls(
            client_host=str(host or "")[:limit],
            user_agent=headers.get("user-agent", "")[:limit],
            client_request_id=headers.get("x-client-request-id", "")[:limit],
            session_id=headers.get("x-session-id", "")[:limit],
        )


@dataclass(slots=True)
class RequestTrace:
    """Mutable while the request runs; `close` publishes the last record.

    `body` is there where what is asked and answered is to be kept. `schema_check`
    says whether the answer fits a schema that no grammar could hold it to.
    """

    record: RequestRecord
    observer: RequestObserver
    clock: Clock
    operation: Operation = Operation.OTHER
    http_status: int = 200
    connection: ConnectionNote = field(default_factory=ConnectionNote)
    body: BodyKeeper | None = None
    register: RunningRegister | None = None
    stopper: Stopper = field(default_factory=Stopper)
    schema_check: str = ""
    _born: float = 0.0
    _phase_since: float = 0.0
    _times: DecodeTimes = field(default_factory=DecodeTimes)
    _unprepared: tuple[Prompt, ...] = ()
    _durations: dict[str, float] = field(default_factory=dict)
    _answer: AnswerCount = field(default_factory=AnswerCount)
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

    @property
    def tokens(self) -> int:
        """Tokens made so far, of all choices."""
        return self._answer.tokens or 0

    def snapshot(self) -> RunningRequest:
        """Return what may be seen of the request at this moment."""
        record, choices = self.record, self.record.choices
        return RunningRequest(
            request_id=record.request_id,
            endpoint=record.endpoint,
            operation=self.operation,
            kind=record.kind,
            stream=record.stream,
            model=record.model or record.model_requested,
            key_name=record.key_name,
            user=record.user,
            session_id=record.session_id,
            client_host=record.client_host,
            user_agent=record.user_agent,
            started_at=record.started_at,
            phase=record.phase,
            phase_since=record.started_at + self._phase_since - self._born,
            phase_mark=self._phase_since,
            spent_s=dict(self._durations),
            prompt_tokens=record.prompt_tokens,
            completion_tokens=self.tokens,
            choices=choices,
            decode_tps=self._times.speed(self.tokens - choices),
        )

    def open(self) -> None:
        """Publish the first record: the body was accepted."""
        if not self._opened:
            self._opened = True
            if self.register is not None:
                self.register.opened(self)
            self.observer.request_started(self.record)

    @property
    def is_closed(self) -> bool:
        """Whether the last record has been published."""
        return self._closed

    def asked(self, body: Mapping[str, object]) -> None:
        """Note what a body names before it is known to be valid."""
        self.asked_for(body.get("model"), stream=body.get("stream"))
        self.asked_by(user=body.get("user"), metadata=body.get("metadata"))

    def asked_for(self, model: object, *, stream: object) -> None:
        """Note which model a body names before it is known to be valid."""
        if isinstance(model, str):
            self._note(model_requested=model[:NAME_CHARS])
        self._note(stream=stream is True)

    def asked_by(self, *, user: object, metadata: object) -> None:
        """Note who a body says it is from, before it is known to be valid.

        A session that a header named stays.
        """
        tags = tags_of(metadata)
        self._note(
            user=user[:TAG_CHARS] if isinstance(user, str) else "",
            session_id=self.record.session_id or tags.get("session_id", ""),
            tags=tags,
        )

    def describe(self, request: InferenceRequest) -> None:
        """Note what was asked."""
        work = request.work
        self._note(
            kind=request.kind,
            stream=request.stream,
            model_requested=request.model or "",
            choices=work.rows,
            structured=structure_of(work),
            images=work.image_count,
            params=request.params,
        )
        self._asks_about(work.prompts)

    def describe_count(self, request: CountRequest) -> None:
        """Note what was asked to be counted."""
        prompt = request.work.prompt
        self._note(
            model_requested=request.model or "",
            images=request.work.image_count,
            params=request.params,
        )
        self._asks_about((prompt,))

    def describe_inputs(self, request: EncoderRequest[Any]) -> None:
        """Note what was asked to be encoded."""
        self._note(model_requested=request.model or "", params=request.params)
        self._asks_about(request.prompts)

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

    def prepared(self, prompts: Sequence[PromptPrepared]) -> None:
        """Note the length of the prompts, and what could not be done as asked."""
        self._unprepared = ()
        self._note(
            prompt_tokens=sum(prompt.tokens for prompt in prompts), cached_tokens=0
        )
        if self.record.images:
            self._note(image_tokens=sum(prompt.image_tokens for prompt in prompts))
        self.ignores([name for prompt in prompts for name in prompt.ignored])
        for prompt in prompts:
            for message in prompt.warnings:
                self.warn(message)

    def ignores(self, names: Sequence[str]) -> None:
        """Note what was sent and means nothing."""
        if names:
            params = self.record.params
            known = dict.fromkeys((*params.get("ignored", ()), *names))
            self._note(params={**params, "ignored": list(known)})

    def got_images(self, images: Sequence[ImageData], seconds: float | None) -> None:
        """Note the images, and how long it took to get those named by address."""
        self._note(image_fetch_s=seconds)
        if self.body is not None:
            self.body.saw_images(images)

    def looked_up(self, *, cached: int, diverged_at: int | None) -> None:
        """Note how much of the prompt was kept, and where it left what was."""
        self._note(cached_tokens=cached, prefix_diverged_at=diverged_at)

    def encoded_images(self, *, cached: int, seconds: float) -> None:
        """Note how many images were known already, and what the others took."""
        self._note(images_cached=cached, image_encode_s=seconds)

    def filled_in(self, defaults: Mapping[str, object]) -> None:
        """Note what stands in for parameters that were not sent."""
        self._note(defaults=dict(defaults))

    def decoded_among(self, mean: float, most: int) -> None:
        """Note how many rows the batch had, on average and at most."""
        self._note(batch_mean=mean, batch_max=most)

    def model_holds(self, memory_bytes: int) -> None:
        """Note how much memory the model holds; 0: not known."""
        self._note(memory_bytes=memory_bytes or None)

    def warn(self, message: str) -> None:
        """Note that something was not done to the letter; the first few are kept."""
        known, message = self.record.warnings, message[:WARNING_CHARS]
        if message and message not in known and len(known) < WARNINGS_MAX:
            self._note(warnings=(*known, message))

    def checked(self, fitting: str, why: str) -> None:
        """Note whether the answer fits a schema that it was not held to."""
        self.schema_check = fitting
        said = f"schema check: {fitting}" + (f" ({why})" if why else "")
        # There is always room for it.
        self._note(warnings=self.record.warnings[: WARNINGS_MAX - 1])
        self.warn(said)

    def admitted(self) -> None:
        """Note that the request got its seat."""
        self._note(admitted=True)

    def arrived(self, delta: Delta, tokens: int) -> None:
        """Count a delta that carries `tokens` tokens (0 for a bare ending).

        Tokens count whatever they carry; words and characters are the visible
        text's.
        """
        if tokens and self._times.arrived(self.clock.monotonic(), delta.index):
            self.enter(Phase.DECODE)
        self._answer.add(delta, tokens)
        if self.body is not None:
            self.body.add(delta)

    def finish(self) -> None:
        """The request was answered as asked.

        Raises:
            InferenceError: it was stopped; that is its end.
        """
        self.stopper.raise_if_stopped()
        self._end(Outcome.FINISHED, "")

    def fail(self, error: InferenceError) -> None:
        """The request ended with an error; later calls change nothing."""
        if self.record.outcome is not Outcome.RUNNING:
            return
        self._note(
            error=error.message,
            error_param=error.param or "",
            refusal=dict(error.figures),
        )
        if self.record.prompt_tokens is None:
            # Counted, and found to be too many.
            self._note(prompt_tokens=error.figures.get("prompt_tokens"))
        self.http_status = error.http_status
        self._end(error.outcome, error.code)

    def cancel(self, reason: str = "") -> None:
        """The client has gone or took the request back."""
        if self.record.outcome is Outcome.RUNNING:
            self.http_status = CLIENT_CLOSED_REQUEST
            self._end(Outcome.CANCELLED, reason or self.connection.why_gone())

    def stop(self, error: InferenceError) -> bool:
        """End the request from outside; false where it has ended already.

        The last record is published at once; whoever runs the request meets
        `error` soon, and its calls here change nothing any more.
        """
        if self.record.outcome is not Outcome.RUNNING:
            return False
        self.fail(error)
        self.close()
        self.stopper.stop(error)
        return True

    def close(self) -> None:
        """Publish the last record, once. A trace without an end was cancelled."""
        if self._closed:
            return
        self.cancel()
        self._closed = True
        if self._opened:
            record = self._final_record()
            if self.register is not None:
                self.register.closed(record)
            self.observer.request_finished(record)
            self._publish_bodies()

    def _asks_about(self, prompts: tuple[Prompt, ...]) -> None:
        self._unprepared = prompts
        if self.body is not None:
            self.body.prompts = prompts

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

    def _publish_bodies(self) -> None:
        if self.body is not None and self.body.prompts:
            self.observer.request_bodies(
                RequestBodies(
                    request_id=self.record.request_id,
                    started_at=self.record.started_at,
                    prompt=self.body.prompt(),
                    answer=self.body.answer(),
                )
            )

    def _final_record(self) -> RequestRecord:
        answer = self._answer
        total_s = self.elapsed_s
        times = self._times.figures(
            born=self._born,
            working_s=total_s - self._durations.get("queue_s", 0.0),
            tokens=answer.tokens or 0,
            choices=self.record.choices,
        )
        record = msgspec.structs.replace(
            self.record,
            finished_at=self.record.started_at + total_s,
            http_status=self.http_status,
            completion_tokens=answer.tokens,
            reasoning_tokens=answer.reasoning_tokens,
            cached_tokens=answer.cached_tokens or self.record.cached_tokens,
            tool_calls=answer.tool_calls,
            finish_reason=answer.finish_reason,
            words=answer.words,
            characters=answer.characters,
            total_s=total_s,
            **(self._durations | times),
        )
        return with_estimates(record, unprepared=self._unprepared)
