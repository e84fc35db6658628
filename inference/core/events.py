"""What the request path tells the rest of the server, and who may listen.

`inference` knows neither tables nor charts: it publishes these frozen values to
a `RequestObserver` and asks a `StatsSource`; `mlxsite` wires both to `metrics`.
Times of day are Unix seconds (UTC); durations are seconds from one monotonic
clock. A duration is `None` where the request never reached that phase.
"""

from __future__ import annotations

from typing import Any, Protocol

import msgspec

from inference.core.outcomes import Outcome, Phase, RequestKind


class RequestRecord(msgspec.Struct, frozen=True, kw_only=True):
    """Everything the record keeps of one request; published at start and at end.

    `structured` names what the answer had to look like (`json_schema`, `regex`,
    `lark`, `tool_call`), empty where it was free; `tool_calls` counts calls made.
    `cached_tokens` of the prompt were not computed again; `prefix_diverged_at` is how
    many it had in common with the most alike of the texts that were kept.
    `images_cached` counts images whose features were known from earlier requests;
    `image_encode_s` is what computing the others took. `defaults` holds what stood in
    for parameters that were not sent. `batch_mean` and `batch_max` count the rows of
    the batch that this one decoded in; `memory_bytes` is what the model held at the
    end. `is_estimated` says that a token count is made from words and characters.
    `refusal` holds the figures of a refusal, in bytes, tokens or places.
    """

    request_id: str
    node: str
    boot_id: str
    started_at: float
    finished_at: float | None = None
    endpoint: str
    kind: RequestKind = RequestKind.OTHER
    stream: bool = False
    model_requested: str = ""
    model: str = ""

    outcome: Outcome = Outcome.RUNNING
    phase: Phase = Phase.RECEIVED
    reason: str = ""
    http_status: int | None = None
    error: str = ""
    error_param: str = ""
    admitted: bool = False

    prompt_tokens: int | None = None
    cached_tokens: int | None = None
    prefix_diverged_at: int | None = None
    completion_tokens: int | None = None
    reasoning_tokens: int | None = None
    choices: int = 1
    tool_calls: int = 0
    structured: str = ""
    warnings: tuple[str, ...] = ()
    words: int = 0
    characters: int = 0
    finish_reason: str = ""
    images: int = 0
    images_cached: int = 0
    image_tokens: int | None = None

    load_s: float | None = None
    prepare_s: float | None = None
    image_fetch_s: float | None = None
    image_encode_s: float | None = None
    queue_s: float | None = None
    prefill_s: float | None = None
    ttft_s: float | None = None
    decode_s: float | None = None
    total_s: float | None = None
    itl_mean_s: float | None = None
    tps: float | None = None
    decode_tps: float | None = None

    itl_p99_s: float | None = None
    batch_mean: float | None = None
    batch_max: int | None = None
    memory_bytes: int | None = None
    is_estimated: bool = False
    refusal: dict[str, Any] = {}

    params: dict[str, Any] = {}
    defaults: dict[str, Any] = {}
    client_host: str = ""
    user_agent: str = ""
    client_request_id: str = ""
    key_name: str = ""
    user: str = ""
    session_id: str = ""
    tags: dict[str, str] = {}


class ServerEvent(msgspec.Struct, frozen=True, kw_only=True):
    """Something that happened to the server or to a model, on the charts' time axis.

    `kind` is one of: server_start, server_stop, server_lost, model_load,
    model_load_failed, model_unload, model_evict, model_quarantined, model_released,
    worker_died, worker_restart, memory_refused, checker_died, record_waited,
    login_failed.
    """

    kind: str
    at: float
    node: str
    boot_id: str
    model: str = ""
    detail: str = ""
    data: dict[str, Any] = {}


class ModelSample(msgspec.Struct, frozen=True, kw_only=True):
    """What one model was seen doing over a minute; sums are over the looks."""

    model: str
    running_sum: int = 0
    running_max: int = 0
    waiting_sum: int = 0
    waiting_max: int = 0
    memory_bytes: int = 0


class ServerSample(msgspec.Struct, frozen=True, kw_only=True):
    """A minute of a server: how often it was looked at, and what was seen.

    `at` is where the minute begins. `waiting_*` count all who waited, whatever
    for; `memory_bytes` is the most that all models together held, and in a
    `ModelSample` the most that the model did. A minute without a sample is one in
    which the server did not run.
    """

    at: float
    node: str
    boot_id: str
    looks: int
    waiting_sum: int = 0
    waiting_max: int = 0
    memory_bytes: int = 0
    budget_bytes: int = 0
    models: tuple[ModelSample, ...] = ()


class RequestBodies(msgspec.Struct, frozen=True, kw_only=True):
    """What was asked and answered, where it is to be kept; JSON values."""

    request_id: str
    started_at: float
    prompt: Any = None
    answer: Any = None


class RequestObserver(Protocol):
    """Receives the record. Called on the event loop: must not block or raise.

    One that subclasses it hears only what it has a method for.
    """

    def request_started(self, record: RequestRecord) -> None:
        """A request's body was accepted; `record.outcome` is running."""
        return

    def request_finished(self, record: RequestRecord) -> None:
        """A request ended, whatever its end; called exactly once per start."""
        return

    def server_event(self, event: ServerEvent) -> None:
        """Something happened to the server or a model."""
        return

    def server_sample(self, sample: ServerSample) -> None:
        """A minute of the server has passed, or the last part of one."""
        return

    def request_bodies(self, bodies: RequestBodies) -> None:
        """What a request asked and was answered, where that is to be kept."""
        return


class StatsTotals(msgspec.Struct, frozen=True, kw_only=True):
    """Totals over all time, restarts included; `*_tps` over the last 100 finished.

    `avg_tps` is what those made in all over the time they took, so that it lies
    between the slowest and the fastest of them; 0.0 before any.
    `total_requests` counts generations that got a seat and ended, and equals the
    sum of `request_types`; `total_time_s` is processing time without queueing.
    """

    total_requests: int = 0
    total_tokens: int = 0
    total_time_s: float = 0.0
    request_types: dict[str, int] = {}
    outcomes: dict[str, int] = {}
    error_count: int = 0
    avg_tps: float = 0.0
    max_tps: float = 0.0
    min_tps: float = 0.0
    recent_requests: int = 0


class StatsSource(Protocol):
    """Answers `/v1/queue/stats` from memory, without touching a database."""

    @property
    def avg_tps(self) -> float:
        """What `totals().avg_tps` is, without the rest of it."""

    def totals(self) -> StatsTotals:
        """Return the totals as of now."""

    def totals_by_model(self) -> dict[str, StatsTotals]:
        """Return the same per model key."""


class RecordHealth(Protocol):
    """How far the record is behind, in numbers that may be shown."""

    @property
    def spool_lag_bytes(self) -> int:
        """Bytes kept on disk that are not in the database yet."""

    @property
    def backlog_lines(self) -> int:
        """Lines that wait in memory because the disk takes none."""

    @property
    def dropped_total(self) -> int:
        """Lines lost: no room on disk, and none in memory."""

    @property
    def last_error(self) -> str:
        """What stands in the way at present; empty when all is well."""


class Exposition(Protocol):
    """Shows this server run in figures, for a monitoring system to collect."""

    async def render(self, accept: str) -> tuple[bytes, str]:
        """Return the figures as of now and their content type, one of `accept`."""


class NoExposition:
    """Shows nothing."""

    async def render(self, accept: str) -> tuple[bytes, str]:
        """Return an empty page."""
        return b"", "text/plain"


class KeyChecker(Protocol):
    """Decides whether a presented key may pass."""

    @property
    def required(self) -> bool:
        """Whether a key is needed at all."""

    def name_of(self, presented: str) -> str | None:
        """Return the key's name, or `None` where it is not known."""
