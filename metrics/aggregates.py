"""Sums over the whole record, as the totals need them at boot."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.db.models import Sum

from metrics.models import RequestLog, Rollup, RollupLevel
from metrics.models.rollups import ENDS

if TYPE_CHECKING:
    from collections.abc import Iterable

RECENT = 100
_BEGUN_LAST = 10 * RECENT


@dataclass(frozen=True, slots=True)
class Past:
    """What a model's ended requests add up to: see `Rollup` for the columns.

    `outcomes` counts all of them; `kinds`, `tokens` and `time_s` those that got a
    seat.
    """

    model: str
    outcomes: dict[str, int]
    kinds: dict[str, int]
    tokens: int
    time_s: float


def past_of_models() -> list[Past]:
    """Return what all days add up to, by model; also those whose rows are deleted."""
    days = Rollup.objects.filter(level=RollupLevel.DAY).order_by()
    kinds: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for model, counts in days.values_list("model", "kinds").iterator():
        kinds[model].update(counts)
    sums: Iterable[Any] = days.values("model").annotate(
        **{f"{end}_": Sum(end) for end in ENDS},
        tokens=Sum("completion_tokens"),
        time_s=Sum("busy_s"),
    )
    return [
        Past(
            model=row["model"],
            outcomes={end: row[f"{end}_"] for end in ENDS},
            kinds=dict(kinds[row["model"]]),
            tokens=row["tokens"],
            time_s=row["time_s"],
        )
        for row in sums
    ]


@dataclass(frozen=True, slots=True)
class Speed:
    """How many tokens a finished generation made, and how many a second."""

    tokens: int
    tps: float


def recent_speeds(model: str | None = None) -> list[Speed]:
    """Return the speeds of the last finished generations, oldest end first.

    Looked for among those that began last: no index knows when requests ended.
    """
    rows = RequestLog.objects.with_speed()
    if model is not None:
        rows = rows.filter(model=model)
    columns = ("finished_at", "pk", "completion_tokens", "tps")
    newest = rows.values_list(*columns)[:_BEGUN_LAST]
    last = sorted(newest, key=lambda row: row[:2])[-RECENT:]
    return [Speed(tokens or 0, tps) for _, _, tokens, tps in last if tps is not None]
