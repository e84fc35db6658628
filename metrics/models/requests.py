"""One row per request, whatever its end.

Column names are the field names of `RequestRecord`; durations are in seconds,
`None` where the request never reached that phase.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Self

from django.db import models
from django.utils import timezone

from inference.core.events import RequestRecord
from inference.core.outcomes import FinishReason, Outcome, Phase, RequestKind
from inference.core.requests import GrammarKind
from metrics.figures import (
    NOTHING,
    count_text,
    figure_text,
    rate_text,
    seconds_text,
    share_text,
    size_text,
)
from metrics.models.fitting import fitted_values, moment
from metrics.models.upserts import Upsert

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime


def _words(value: str) -> str:
    return value.replace("_", " ")


def _named_figure(name: str, value: object) -> tuple[str, str]:
    """Return what a figure is called and its text, by the unit in its name."""
    stem, _, unit = name.rpartition("_")
    if isinstance(value, dict):
        most_first = sorted(value.items(), key=lambda item: -item[1])
        parts = [f"{one} {_named_figure(name, held)[1]}" for one, held in most_first]
        return _words(stem), ", ".join(parts) or NOTHING
    if unit == "bytes" and isinstance(value, (int, float)):
        return _words(stem), size_text(value)
    if unit == "s" and isinstance(value, (int, float)):
        return _words(stem), seconds_text(value)
    return _words(name), figure_text(value)


OUTCOMES = [(outcome.value, _words(outcome)) for outcome in Outcome]
PHASES = [(phase.value, _words(phase)) for phase in Phase]
KINDS = [(kind.value, _words(kind) or "other") for kind in RequestKind]
# What an end may change: all but the key.
RECORDED_COLUMNS = [
    name for name in RequestRecord.__struct_fields__ if name != "request_id"
]
STRUCTURES = [(kind.value, _words(kind)) for kind in GrammarKind] + [
    ("tool_call", "tool call")
]
FINISH_REASONS = [(reason.value, _words(reason)) for reason in FinishReason]


# Why requests ended whose server did not end them itself.
CRASH = "crash"


class RequestQuerySet(models.QuerySet["RequestLog"]):
    """Questions about many requests, and the two ways rows are written."""

    def window(self, *, hours: float) -> Self:
        """Those that started within the last `hours`."""
        return self.filter(started_at__gte=timezone.now() - timedelta(hours=hours))

    def newest_first(self) -> Self:
        """Newest first, in the order of the index."""
        return self.order_by("-started_at", "-id")

    def admitted(self) -> Self:
        """Those that got a seat."""
        return self.filter(admitted=True)

    def running(self) -> Self:
        """Those without an end yet."""
        return self.filter(outcome=Outcome.RUNNING)

    def ended(self) -> Self:
        """Those with an end, whatever it was."""
        return self.exclude(outcome=Outcome.RUNNING)

    def with_speed(self) -> Self:
        """Finished generations whose speed is known, newest first."""
        return self.filter(outcome=Outcome.FINISHED, tps__isnull=False).newest_first()

    def recent_values(self, column: str, *, among: int = 2000) -> list[str]:
        """Values of `column` that occur in the newest `among` rows, sorted."""
        newest = self.newest_first().values("pk")[:among]
        rows = RequestLog.objects.filter(pk__in=newest).order_by()
        return sorted(rows.values_list(column, flat=True).distinct())

    def record_starts(self, rows: Iterable[RequestLog]) -> None:
        """Add rows that run; a row that is there already stays as it is."""
        _STARTS.write(rows)

    def record_ends(self, rows: Iterable[RequestLog]) -> None:
        """Write final rows over whatever is known of these requests."""
        _ENDS.write(rows)

    def interrupt_run(
        self,
        boot_id: str,
        *,
        at: datetime,
        reason: str,
        served: Mapping[str, str] | None = None,
    ) -> list[RequestLog]:
        """End what still runs in the rows of one server run; return those rows.

        `served` tells the model that answered to a name: rows learn theirs at their
        end only.
        """
        rows = list(self.running().filter(boot_id=boot_id).order_by())
        for row in rows:
            row.outcome, row.reason, row.finished_at = Outcome.INTERRUPTED, reason, at
            row.model = row.model or (served or {}).get(row.model_requested, "")
        self.bulk_update([row for row in rows if row.model], ["model"], batch_size=500)
        self.running().filter(boot_id=boot_id).update(
            outcome=Outcome.INTERRUPTED, reason=reason, finished_at=at
        )
        return rows


class RequestLog(models.Model):
    """What is known of one request."""

    request_id = models.CharField("request id", max_length=64, unique=True)
    node = models.CharField(max_length=255)
    boot_id = models.CharField(max_length=64)
    started_at = models.DateTimeField("started")
    finished_at = models.DateTimeField("ended", null=True, blank=True)
    endpoint = models.CharField(max_length=255)
    kind = models.CharField(max_length=16, choices=KINDS, blank=True)
    stream = models.BooleanField(default=False)
    model_requested = models.CharField(max_length=255, blank=True)
    model = models.CharField(max_length=255, blank=True)

    outcome = models.CharField(max_length=16, choices=OUTCOMES)
    phase = models.CharField(max_length=16, choices=PHASES)
    reason = models.CharField(max_length=64, blank=True)
    http_status = models.PositiveSmallIntegerField("HTTP status", null=True, blank=True)
    error = models.TextField(blank=True)
    error_param = models.CharField(max_length=255, blank=True)
    admitted = models.BooleanField("got a seat", default=False)

    prompt_tokens = models.PositiveIntegerField(null=True, blank=True)
    cached_tokens = models.PositiveIntegerField(null=True, blank=True)
    prefix_diverged_at = models.PositiveIntegerField(null=True, blank=True)
    completion_tokens = models.PositiveIntegerField(null=True, blank=True)
    # With defaults in the database, for servers of the version before write, too.
    reasoning_tokens = models.PositiveIntegerField(null=True, blank=True)
    choices = models.PositiveSmallIntegerField(default=1, db_default=1)
    tool_calls = models.PositiveIntegerField(default=0, db_default=0)
    structured = models.CharField(
        "structure",
        max_length=16,
        choices=STRUCTURES,
        blank=True,
        default="",
        db_default="",
    )
    warnings = models.JSONField(default=list, blank=True, db_default=[])
    words = models.PositiveIntegerField(default=0)
    characters = models.PositiveIntegerField(default=0)
    finish_reason = models.CharField(max_length=32, choices=FINISH_REASONS, blank=True)
    images = models.PositiveSmallIntegerField(default=0, db_default=0)
    images_cached = models.PositiveSmallIntegerField(default=0, db_default=0)
    image_tokens = models.PositiveIntegerField(null=True, blank=True)

    load_s = models.FloatField(null=True, blank=True)
    prepare_s = models.FloatField(null=True, blank=True)
    image_fetch_s = models.FloatField(null=True, blank=True)
    image_encode_s = models.FloatField(null=True, blank=True)
    queue_s = models.FloatField(null=True, blank=True)
    prefill_s = models.FloatField(null=True, blank=True)
    ttft_s = models.FloatField("TTFT", null=True, blank=True)
    decode_s = models.FloatField(null=True, blank=True)
    total_s = models.FloatField(null=True, blank=True)
    itl_mean_s = models.FloatField(null=True, blank=True)
    itl_p99_s = models.FloatField(null=True, blank=True)
    tps = models.FloatField("tok/s", null=True, blank=True)
    decode_tps = models.FloatField(null=True, blank=True)
    batch_mean = models.FloatField(null=True, blank=True)
    batch_max = models.PositiveIntegerField(null=True, blank=True)
    memory_bytes = models.PositiveBigIntegerField(null=True, blank=True)
    is_estimated = models.BooleanField(default=False, db_default=False)
    refusal = models.JSONField(default=dict, blank=True, db_default={})

    params = models.JSONField("parameters", default=dict, blank=True)
    defaults = models.JSONField(default=dict, blank=True, db_default={})
    client_host = models.CharField(max_length=255, blank=True)
    user_agent = models.CharField(max_length=512, blank=True)
    client_request_id = models.CharField(max_length=255, blank=True)
    key_name = models.CharField("key", max_length=255, blank=True)
    user = models.CharField(max_length=255, blank=True, default="", db_default="")
    session_id = models.CharField(
        "session", max_length=255, blank=True, default="", db_default=""
    )
    tags = models.JSONField(default=dict, blank=True, db_default={})

    objects = RequestQuerySet.as_manager()

    class Meta:
        verbose_name = "request"
        ordering = ["-started_at", "-id"]
        indexes = [
            models.Index(fields=["-started_at", "-id"], name="request_newest"),
            models.Index(fields=["outcome", "-started_at"], name="request_outcome"),
            models.Index(fields=["model", "-started_at"], name="request_model"),
            models.Index(fields=["kind", "-started_at"], name="request_kind"),
            models.Index(fields=["endpoint", "-started_at"], name="request_endpoint"),
            models.Index(
                fields=["finish_reason", "-started_at"], name="request_finish_reason"
            ),
            models.Index(fields=["reason", "-started_at"], name="request_reason"),
            models.Index(fields=["key_name", "-started_at"], name="request_key"),
            models.Index(fields=["user", "-started_at"], name="request_user"),
            models.Index(fields=["session_id", "-started_at"], name="request_session"),
        ]

    def __str__(self) -> str:
        return self.request_id

    @classmethod
    def from_record(cls, record: RequestRecord) -> RequestLog:
        """Return the unsaved row of a record, with texts cut to their columns."""
        values = fitted_values(cls, record) | {
            "started_at": moment(record.started_at),
            "finished_at": moment(record.finished_at),
        }
        return cls(**values)

    @property
    def is_running(self) -> bool:
        """Whether the request has no end yet."""
        return self.outcome == Outcome.RUNNING

    @property
    def is_taken_for_lost(self) -> bool:
        """Whether its end was made by others than the server it ran on."""
        return self.outcome == Outcome.INTERRUPTED and self.reason == CRASH

    @property
    def duration_text(self) -> str:
        """How long it took, as text."""
        return seconds_text(self.total_s)

    @property
    def ttft_text(self) -> str:
        """Time to the first token, as text."""
        return seconds_text(self.ttft_s)

    @property
    def tps_text(self) -> str:
        """Completion tokens per second of processing time, as text."""
        return rate_text(self.tps)

    @property
    def tokens_text(self) -> str:
        """Tokens in and out: `8,210 → 482`, or only those in."""
        if self.prompt_tokens is None and self.completion_tokens is None:
            return NOTHING
        if self.completion_tokens is None:
            return count_text(self.prompt_tokens)
        return (
            f"{count_text(self.prompt_tokens)} → {count_text(self.completion_tokens)}"
        )

    @property
    def prompt_text(self) -> str:
        """Tokens in, as text."""
        return count_text(self.prompt_tokens)

    @property
    def cached_text(self) -> str:
        """How many of the tokens in came from the prompt cache, as text."""
        share = share_text(self.cached_tokens or 0, self.prompt_tokens or 0)
        return f"{count_text(self.cached_tokens)} from the cache, {share}"

    @property
    def prefix_text(self) -> str:
        """Where the prompt left what was kept of earlier ones, as text."""
        if self.prefix_diverged_at is None:
            return "nothing was kept to compare with"
        if self.prefix_diverged_at >= (self.prompt_tokens or 0) - 1:
            return "all of it had been read before"
        if self.prefix_diverged_at == 0:
            return "no kept text begins like it"
        return f"unlike any kept text from token {self.prefix_diverged_at:,} on"

    @property
    def images_text(self) -> str:
        """How many images there were, their tokens and what they took, as text."""
        if not self.images:
            return "none"
        parts = [count_text(self.images)]
        if self.image_tokens is not None:
            parts.append(f"{count_text(self.image_tokens)} tokens")
        if self.images_cached:
            parts.append(f"{count_text(self.images_cached)} known already")
        if self.image_fetch_s is not None:
            parts.append(f"fetched in {seconds_text(self.image_fetch_s)}")
        if self.image_encode_s is not None:
            parts.append(f"encoded in {seconds_text(self.image_encode_s)}")
        return ", ".join(parts)

    @property
    def completion_text(self) -> str:
        """Tokens out, as text."""
        return count_text(self.completion_tokens)

    @property
    def written_text(self) -> str:
        """The answer's size, as text."""
        return f"{self.words:,} words, {self.characters:,} characters"

    @property
    def reasoning_text(self) -> str:
        """How many of the tokens out were thinking, as text."""
        share = share_text(self.reasoning_tokens or 0, self.completion_tokens or 0)
        return f"{count_text(self.reasoning_tokens)} thinking, {share}"

    @property
    def itl_text(self) -> str:
        """Mean time between two tokens, as text."""
        return seconds_text(self.itl_mean_s)

    @property
    def itl_p99_text(self) -> str:
        """What 99 % of the times between two tokens stay below, as text."""
        return seconds_text(self.itl_p99_s)

    @property
    def batch_text(self) -> str:
        """How many rows decoded together with this one, itself included, as text."""
        if self.batch_mean is None or self.batch_max is None:
            return NOTHING
        return f"{self.batch_mean:.1f} rows on average, {self.batch_max} at most"

    @property
    def refusal_figures(self) -> list[tuple[str, str]]:
        """The figures of a refusal: what they are called, and as text."""
        # PostgreSQL keeps no order of its own.
        return [
            _named_figure(name, self.refusal[name]) for name in sorted(self.refusal)
        ]

    @property
    def memory_text(self) -> str:
        """What the model held when it ended, as text."""
        return NOTHING if self.memory_bytes is None else size_text(self.memory_bytes)

    @property
    def decode_tps_text(self) -> str:
        """Tokens per second after the first token, as text."""
        return rate_text(self.decode_tps)

    @property
    def what_text(self) -> str:
        """What was asked: the kind of generation, else the endpoint."""
        return self.get_kind_display() if self.kind else self.endpoint

    @property
    def ended_by_text(self) -> str:
        """What ended it, in words: the finish reason, else the reason."""
        reason = self.get_finish_reason_display() or _words(self.reason)
        return reason or NOTHING

    @property
    def why_text(self) -> str:
        """Why it ended so: finish reason, or reason and error text."""
        if self.outcome == Outcome.FINISHED:
            return self.get_finish_reason_display()
        return ": ".join(filter(None, (self.reason, self.error)))


_STARTS = Upsert(RequestLog, unique=["request_id"])
_ENDS = Upsert(RequestLog, unique=["request_id"], over=RECORDED_COLUMNS)
