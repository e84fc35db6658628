"""Sums of requests in memory, with the names of the columns of `Rollup`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from inference.core.outcomes import Outcome
from metrics.histograms import INTER_TOKEN_S, TOTAL_S, TTFT_S, bucket_of, merged
from metrics.models.rollups import ENDS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from metrics.models import RequestLog, Rollup

ADDED = (
    "requests",
    *ENDS,
    *("prompt_tokens", "cached_tokens", "completion_tokens", "reasoning_tokens"),
    *("images", "busy_s", "tps_count", "tps_sum"),
)
COUNTERS = ("reasons", "kinds")
HISTOGRAMS = ("ttft", "inter_token", "total", "queue")
# What a row of sums holds beside its key.
SUMMED = (*ADDED, *HISTOGRAMS, *COUNTERS, "tps_min", "tps_max")
# What of a request goes into a sum.
READ = (
    *("started_at", "node", "boot_id", "model", "endpoint", "key_name", "kind"),
    *("outcome", "reason", "admitted", "prompt_tokens", "cached_tokens"),
    *("completion_tokens", "reasoning_tokens", "images", "queue_s", "ttft_s"),
    *("itl_mean_s", "total_s", "tps"),
)


@dataclass(slots=True)
class Sums:
    """What requests add up to; see `Rollup` for what each column counts."""

    requests: int = 0
    finished: int = 0
    cancelled: int = 0
    rejected: int = 0
    invalid: int = 0
    timed_out: int = 0
    failed: int = 0
    interrupted: int = 0
    reasons: dict[str, int] = field(default_factory=dict)
    kinds: dict[str, int] = field(default_factory=dict)
    prompt_tokens: int = 0
    cached_tokens: int = 0
    completion_tokens: int = 0
    reasoning_tokens: int = 0
    images: int = 0
    busy_s: float = 0.0
    tps_count: int = 0
    tps_sum: float = 0.0
    tps_min: float | None = None
    tps_max: float | None = None
    ttft: list[int] = field(default_factory=list)
    inter_token: list[int] = field(default_factory=list)
    total: list[int] = field(default_factory=list)
    queue: list[int] = field(default_factory=list)

    def add(self, row: RequestLog) -> None:
        """Count one ended request."""
        self.requests += 1
        outcome = str(row.outcome)
        setattr(self, outcome, getattr(self, outcome) + 1)
        if outcome != Outcome.FINISHED:
            _count_word(self.reasons, row.reason or outcome)
        elif row.tps is not None:
            self._add_speed(row.tps)
        _count(self.total, row.total_s, TOTAL_S)
        _count(self.ttft, row.ttft_s, TTFT_S)
        _count(self.inter_token, row.itl_mean_s, INTER_TOKEN_S)
        if row.admitted and row.kind:
            self._add_work(row)

    def _add_work(self, row: RequestLog) -> None:
        self.prompt_tokens += row.prompt_tokens or 0
        self.cached_tokens += row.cached_tokens or 0
        self.completion_tokens += row.completion_tokens or 0
        self.reasoning_tokens += row.reasoning_tokens or 0
        self.images += row.images
        _count(self.queue, row.queue_s, TOTAL_S)
        _count_word(self.kinds, str(row.kind))
        self.busy_s += max(0.0, (row.total_s or 0.0) - (row.queue_s or 0.0))

    def _add_speed(self, tps: float) -> None:
        self.tps_count += 1
        self.tps_sum += tps
        self.tps_min = tps if self.tps_min is None else min(self.tps_min, tps)
        self.tps_max = tps if self.tps_max is None else max(self.tps_max, tps)


def merge(into: Sums | Rollup, other: Sums | Rollup) -> None:
    """Add everything in `other` to `into`."""
    for name in ADDED:
        setattr(into, name, getattr(into, name) + getattr(other, name))
    for name in HISTOGRAMS:
        setattr(into, name, merged(getattr(into, name), getattr(other, name)))
    for name in COUNTERS:
        setattr(into, name, _added(getattr(into, name), getattr(other, name)))
    into.tps_min = _either(min, into.tps_min, other.tps_min)
    into.tps_max = _either(max, into.tps_max, other.tps_max)


def take_out(of: Rollup, lost: Sums) -> None:
    """Take requests that ran for nothing out of a sum: they were never measured."""
    for name in ADDED:
        setattr(of, name, getattr(of, name) - getattr(lost, name))
    for name in COUNTERS:
        less = {word: -count for word, count in getattr(lost, name).items()}
        left = _added(getattr(of, name), less)
        setattr(of, name, {word: count for word, count in left.items() if count})


def _count(histogram: list[int], value: float | None, bounds: Sequence[float]) -> None:
    if value is None:
        return
    if not histogram:
        histogram.extend([0] * (len(bounds) + 1))
    histogram[bucket_of(value, bounds)] += 1


def _count_word(counter: dict[str, int], word: str) -> None:
    counter[word] = counter.get(word, 0) + 1


def _added(ours: dict[str, int], theirs: dict[str, int]) -> dict[str, int]:
    names = ours | theirs
    return {name: ours.get(name, 0) + theirs.get(name, 0) for name in names}


def _either(
    choose: Callable[[float, float], float], ours: float | None, theirs: float | None
) -> float | None:
    if ours is None or theirs is None:
        return theirs if ours is None else ours
    return choose(ours, theirs)
