"""One row per benchmark: where it ran, what was asked, what came of it."""

from __future__ import annotations

from typing import Any

from django.db import models

from metrics.models.fitting import fitted_text, without_nul


class BenchRunQuerySet(models.QuerySet["BenchRun"]):
    """Many benchmarks."""

    def keep(self, values: dict[str, Any]) -> BenchRun:
        """Add a run; its texts are cut to their columns."""
        return self.create(
            **{
                name: fitted_text(BenchRun, name, value)
                if isinstance(value, str)
                else without_nul(value)
                for name, value in values.items()
            }
        )


class BenchRun(models.Model):
    """One run of `mlx-server bench`, which is kept until staff delete it.

    `levels` and `against_levels` hold an object per concurrency with the figures of
    all rounds, `pairs` one per round and `ratios` their medians: this server ÷ the
    other. Times in seconds. `hardware` and `versions` are of the machine that ran the
    benchmark, which is the server's where `is_near`.
    """

    at = models.DateTimeField("began")
    node = models.CharField(max_length=255)
    is_near = models.BooleanField("server on the same machine", default=True)
    model = models.CharField(max_length=255)
    base_url = models.CharField(max_length=255)
    against_model = models.CharField(max_length=255, blank=True)
    against_url = models.CharField(max_length=255, blank=True)
    note = models.CharField(max_length=200, blank=True)
    duration_s = models.FloatField("duration")
    hardware = models.JSONField(default=dict, blank=True)
    versions = models.JSONField(default=dict, blank=True)
    parameters = models.JSONField(default=dict, blank=True)
    levels = models.JSONField(default=list, blank=True)
    against_levels = models.JSONField(default=list, blank=True)
    pairs = models.JSONField(default=list, blank=True)
    ratios = models.JSONField(default=list, blank=True)

    objects = BenchRunQuerySet.as_manager()

    class Meta:
        verbose_name = "benchmark"
        ordering = ["-at", "-id"]
        indexes = [models.Index(fields=["-at", "-id"], name="bench_newest")]

    def __str__(self) -> str:
        return f"{self.model} {self.at:%Y-%m-%d %H:%M}"

    @property
    def errors(self) -> int:
        """How many requests failed, on either side."""
        return sum(level["errors"] for level in (*self.levels, *self.against_levels))

    @property
    def best_tokens_per_s(self) -> float | None:
        """The most that all streams together reached at any concurrency."""
        rates = [level["tokens_per_s"] for level in self.levels]
        return max(rates, default=None)
