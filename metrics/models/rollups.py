"""Requests summed up by minute, hour and day: what the charts read.

A row holds the ended requests that began within its span, of one server run, model,
endpoint and key; so a chart's figure equals the rows behind it. One run has one
writer at a time, which adds to its rows in the transaction of the requests themselves.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import models

from inference.core.outcomes import Outcome

ENDS = tuple(end.value for end in Outcome if end is not Outcome.RUNNING)
# Those that somebody should look into; a client that leaves is none.
ERRORS = tuple(end for end in ENDS if end not in (Outcome.FINISHED, Outcome.CANCELLED))


class RollupLevel(models.TextChoices):
    """How long a span is."""

    MINUTE = "minute"
    HOUR = "hour"
    DAY = "day"

    @property
    def span(self) -> timedelta:
        """Its length."""
        return timedelta(**{f"{self.value}s": 1})

    def start_of(self, at: datetime) -> datetime:
        """Return where the span with `at` in it begins, in UTC."""
        seconds = int(self.span.total_seconds())
        return datetime.fromtimestamp(
            int(at.timestamp()) // seconds * seconds, tz=at.tzinfo
        )


class Rollup(models.Model):
    """The ended requests of one span, run, model, endpoint and key.

    The histograms are lists of counts (`metrics.histograms`): `ttft` and
    `inter_token` (a request's mean) of what was decoded, `queue` of what was
    admitted, `total` of everything. `reasons` counts what did not finish, `kinds`
    generations that got a seat. Tokens, images and `busy_s` (processing, without the
    queue) are those of these, `tps_*` those of finished requests.
    """

    level = models.CharField(max_length=8, choices=RollupLevel)
    at = models.DateTimeField("begins")
    node = models.CharField(max_length=255)
    boot_id = models.CharField(max_length=64)
    model = models.CharField(max_length=255, blank=True)
    endpoint = models.CharField(max_length=255, blank=True)
    key_name = models.CharField("key", max_length=255, blank=True)

    requests = models.PositiveBigIntegerField(default=0)
    finished = models.PositiveBigIntegerField(default=0)
    cancelled = models.PositiveBigIntegerField(default=0)
    rejected = models.PositiveBigIntegerField(default=0)
    invalid = models.PositiveBigIntegerField(default=0)
    timed_out = models.PositiveBigIntegerField(default=0)
    failed = models.PositiveBigIntegerField(default=0)
    interrupted = models.PositiveBigIntegerField(default=0)
    reasons = models.JSONField(default=dict, blank=True)
    kinds = models.JSONField(default=dict, blank=True)

    prompt_tokens = models.PositiveBigIntegerField(default=0)
    cached_tokens = models.PositiveBigIntegerField(default=0)
    completion_tokens = models.PositiveBigIntegerField(default=0)
    reasoning_tokens = models.PositiveBigIntegerField(default=0)
    images = models.PositiveBigIntegerField(default=0)

    busy_s = models.FloatField("processing time", default=0.0)
    tps_count = models.PositiveBigIntegerField(default=0)
    tps_sum = models.FloatField(default=0.0)
    tps_min = models.FloatField(null=True, blank=True)
    tps_max = models.FloatField(null=True, blank=True)
    ttft = models.JSONField(default=list, blank=True)
    inter_token = models.JSONField(default=list, blank=True)
    total = models.JSONField(default=list, blank=True)
    queue = models.JSONField(default=list, blank=True)

    class Meta:
        ordering = ["at"]
        indexes = [
            models.Index(fields=["level", "at"], name="rollup_span"),
            models.Index(fields=["level", "model", "at"], name="rollup_model"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["level", "at", "boot_id", "model", "endpoint", "key_name"],
                name="rollup_once",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.level} {self.at:%Y-%m-%d %H:%M} {self.model}"


class Gauge(models.Model):
    """What a server was seen doing over one span: seats, queues and memory.

    `model` is empty in the row of the whole server, whose `running_*` stay 0. A span
    without a row is one in which the server did not run.
    """

    level = models.CharField(max_length=8, choices=RollupLevel)
    at = models.DateTimeField("begins")
    node = models.CharField(max_length=255)
    boot_id = models.CharField(max_length=64)
    model = models.CharField(max_length=255, blank=True)

    looks = models.PositiveBigIntegerField(default=0)
    running_sum = models.PositiveBigIntegerField(default=0)
    running_max = models.PositiveIntegerField(default=0)
    waiting_sum = models.PositiveBigIntegerField(default=0)
    waiting_max = models.PositiveIntegerField(default=0)
    memory_bytes = models.PositiveBigIntegerField(default=0)
    budget_bytes = models.PositiveBigIntegerField(default=0)

    class Meta:
        ordering = ["at"]
        indexes = [models.Index(fields=["level", "at"], name="gauge_span")]
        constraints = [
            models.UniqueConstraint(
                fields=["level", "at", "boot_id", "model"], name="gauge_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.level} {self.at:%Y-%m-%d %H:%M} {self.model or self.node}"
