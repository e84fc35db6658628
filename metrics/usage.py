"""What models and keys were used for, from the sums over time: never from requests.

A day is its last 24 whole hours and the one that runs; a week is 7 days of UTC and
the one that runs. So the figures equal the requests of exactly that span.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING

from django.db.models import Max
from django.utils import timezone

from metrics import histograms
from metrics.figures import NOTHING, count_text, rate_text, seconds_text, share_text
from metrics.models import Rollup, RollupLevel
from metrics.models.rollups import ENDS, ERRORS
from metrics.selection import Selection, Window

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from django.db.models import QuerySet

_SUMMED = (
    *("requests", *ENDS),
    *("prompt_tokens", "cached_tokens", "completion_tokens", "busy_s"),
)
_READ = ("model", "key_name", "at", *_SUMMED, "ttft")


@dataclass(frozen=True, slots=True)
class UsageSpan:
    """A stretch of time that ends now, and the level whose rows sum it up."""

    label: str
    level: RollupLevel
    since: datetime

    @classmethod
    def day(cls) -> UsageSpan:
        """The last day."""
        since = RollupLevel.HOUR.start_of(timezone.now() - timedelta(hours=24))
        return cls("Last 24 hours", RollupLevel.HOUR, since)

    @classmethod
    def week(cls) -> UsageSpan:
        """The last week."""
        since = RollupLevel.DAY.start_of(timezone.now() - timedelta(days=7))
        return cls("Last 7 days", RollupLevel.DAY, since)


@dataclass(slots=True)
class UsageRow:
    """What was used in a span; `last_at` is the last hour or day with a request."""

    span: UsageSpan
    sums: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    ttft: list[int] = field(default_factory=list)
    models: set[str] = field(default_factory=set)
    last_at: datetime | None = None

    def add(self, row: Rollup) -> None:
        """Add a row of sums."""
        for name in _SUMMED:
            self.sums[name] += getattr(row, name)
        self.ttft = histograms.merged(self.ttft, row.ttft)
        if row.model:
            self.models.add(row.model)
        self.last_at = max(self.last_at or row.at, row.at)

    @property
    def requests(self) -> int:
        """How many ended."""
        return int(self.sums["requests"])

    @property
    def errors(self) -> int:
        """How many ended badly."""
        return int(sum(self.sums[name] for name in ERRORS))

    @property
    def requests_text(self) -> str:
        """How many ended, as text."""
        return count_text(self.requests)

    @property
    def errors_text(self) -> str:
        """How many ended badly, and which share that is."""
        if not self.errors:
            return count_text(0)
        return f"{self.errors:,}, {share_text(self.errors, self.requests)}"

    @property
    def tokens_text(self) -> str:
        """Tokens in and out."""
        came, went = self.sums["prompt_tokens"], self.sums["completion_tokens"]
        return f"{came:,.0f} → {went:,.0f}"

    @property
    def cached_text(self) -> str:
        """Which share of the tokens in came from the prompt cache."""
        return share_text(self.sums["cached_tokens"], self.sums["prompt_tokens"])

    @property
    def model_names(self) -> str:
        """Which models answered."""
        return ", ".join(sorted(self.models))

    @property
    def rate_text(self) -> str:
        """Tokens out per second of processing time."""
        busy_s = self.sums["busy_s"]
        return rate_text(self.sums["completion_tokens"] / busy_s if busy_s else None)

    @property
    def ttft_text(self) -> str:
        """The median of the time to the first token, and what 95 % stay below."""
        p50, p95 = (
            histograms.quantile(self.ttft, histograms.TTFT_S, share)
            for share in (0.5, 0.95)
        )
        if p50 is None:
            return NOTHING
        return f"{seconds_text(p50)} / {seconds_text(p95)}"

    def selection(self, **choices: str) -> Selection:
        """Return the requests behind these figures."""
        values = {name: (value,) for name, value in choices.items()}
        return Selection(Window(since=self.span.since), values)

    def error_selection(self, **choices: str) -> Selection:
        """Return the requests behind the errors."""
        ended = self.selection(**choices)
        outcomes = {"outcome": tuple(sorted(ERRORS))}
        return replace(ended, conditions={**ended.conditions, **outcomes})


def usage_of_model(model: str, span: UsageSpan) -> UsageRow:
    """Return what a model was used for."""
    return _added(span, _rows(span).filter(model=model))


def usage_by_key(span: UsageSpan) -> dict[str, UsageRow]:
    """Return what each key was used for, the most used first."""
    found: dict[str, UsageRow] = {}
    for row in _rows(span):
        found.setdefault(row.key_name, UsageRow(span)).add(row)
    ranked = sorted(found.items(), key=lambda item: (-item[1].requests, item[0]))
    return dict(ranked)


def last_seen_keys() -> dict[str, datetime]:
    """Return the day on which each key that was ever used was last used."""
    days = Rollup.objects.filter(level=RollupLevel.DAY).order_by()
    rows = days.values("key_name").annotate(last=Max("at"))
    return {row["key_name"]: row["last"] for row in rows}


def _rows(span: UsageSpan) -> QuerySet[Rollup]:
    rows = Rollup.objects.filter(level=span.level, at__gte=span.since)
    return rows.only(*_READ).order_by()


def _added(span: UsageSpan, rows: Iterable[Rollup]) -> UsageRow:
    usage = UsageRow(span)
    for row in rows:
        usage.add(row)
    return usage
