"""The queries: few and bounded, whatever the range.

Times and histograms come as the text they are stored as. Converting them one by one,
as the fields would, costs more than everything else together; `RequestSums` converts
each time once, and decodes all histograms of a point in one go.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from django.db.models import F, Q, Sum, TextField
from django.db.models.functions import Cast

from metrics.history.values import Before
from metrics.models import Gauge, Level, Rollup, ServerEventLog

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from metrics.history.asked import Asked
    from metrics.history.steps import Span

MOST_EVENTS = 500
CHOICE_COLUMNS = ("model", "endpoint", "key_name", "node")
ERRORS = ("rejected", "invalid", "timed_out", "failed", "interrupted")
CHOICES_REACH = timedelta(days=90)


class RollupColumns(NamedTuple):
    """What the charts need of the `Rollup` rows of a point, column by column."""

    at: tuple[str, ...]
    model: tuple[str, ...]
    key: tuple[str, ...]
    requests: tuple[int, ...]
    finished: tuple[int, ...]
    cancelled: tuple[int, ...]
    rejected: tuple[int, ...]
    invalid: tuple[int, ...]
    timed_out: tuple[int, ...]
    failed: tuple[int, ...]
    interrupted: tuple[int, ...]
    prompt_tokens: tuple[int, ...]
    cached_tokens: tuple[int, ...]
    completion_tokens: tuple[int, ...]
    tps_count: tuple[int, ...]
    tps_sum: tuple[float, ...]
    tps_min: tuple[float | None, ...]
    tps_max: tuple[float | None, ...]
    reasons: tuple[str, ...]
    ttft: tuple[str, ...]
    inter_token: tuple[str, ...]
    queue: tuple[str, ...]


class GaugeRow(NamedTuple):
    """What the charts need of a `Gauge`."""

    at: datetime
    node: str
    boot_id: str
    model: str
    looks: int
    running_sum: int
    waiting_sum: int
    waiting_max: int
    memory_bytes: int
    budget_bytes: int


_AS_TEXT = ("at", "reasons", "ttft", "inter_token", "queue")


def rollup_rows(asked: Asked) -> Iterator[tuple[Any, ...]]:
    """Read the sums of a range, in the order of `RollupColumns`."""
    columns = {
        f"{name}_": Cast(name, TextField()) if name in _AS_TEXT else F(name)
        for name in RollupColumns._fields
        if name != "key"
    } | {"key_": F("key_name")}
    rows = _within(Rollup, asked.span).filter(_wanted(asked, *CHOICE_COLUMNS))
    found = rows.annotate(**columns).values_list(
        *(f"{name}_" for name in RollupColumns._fields)
    )
    return cast("Iterator[tuple[Any, ...]]", found.iterator(chunk_size=2000))


def gauge_rows(asked: Asked) -> Iterator[GaugeRow]:
    """Read what the servers were seen doing: whole servers, and the models asked for.

    Nobody looked at endpoints or keys.
    """
    wanted = _wanted(asked, "node") & (Q(model="") | _wanted(asked, "model"))
    rows = _within(Gauge, asked.span).filter(wanted)
    found = rows.values_list(*GaugeRow._fields)
    return map(GaugeRow._make, found.iterator(chunk_size=2000))


def before(asked: Asked) -> Before:
    """Sum up the equally long range before."""
    length = asked.span.end - asked.span.start
    rows = Rollup.objects.filter(
        level=asked.span.level,
        at__gte=asked.span.start - length,
        at__lt=asked.span.start,
    ).filter(_wanted(asked, *CHOICE_COLUMNS))
    sums = rows.order_by().aggregate(
        **{name: Sum(name, default=0) for name in ("requests", *ERRORS)}
    )
    return Before(sums["requests"], sum(sums[name] for name in ERRORS))


def events(asked: Asked) -> list[ServerEventLog]:
    """Read the newest events of a range, one more than are told."""
    wanted = _wanted(asked, "node") & (Q(model="") | _wanted(asked, "model"))
    rows = ServerEventLog.objects.filter(
        at__gte=asked.span.start, at__lt=asked.span.end
    ).filter(wanted)
    return list(rows.order_by("-at", "-id")[: MOST_EVENTS + 1])


def choices(now: datetime) -> set[tuple[str, ...]]:
    """Read which models, endpoints, keys and nodes occurred of late."""
    rows = Rollup.objects.filter(level=Level.DAY, at__gte=now - CHOICES_REACH)
    return set(rows.order_by().values_list(*CHOICE_COLUMNS).distinct()[:2000])


def readable(span: Span) -> Span:
    """Coarsen a span whose fine sums are no longer kept, and coarser ones are."""
    for level in (Level.MINUTE, Level.HOUR):
        if span.level != level:
            continue
        coarser = Level.HOUR if level == Level.MINUTE else Level.DAY
        oldest = _oldest(level)
        if oldest is not None and oldest <= span.start:
            break
        older = _oldest(coarser)
        # A coarse span begins before the first fine one in it.
        if older is None or (oldest and older > oldest - coarser.span):
            break
        span = span.coarsened(int(coarser.span.total_seconds()))
    return span


def _oldest(level: Level) -> datetime | None:
    rows = Rollup.objects.filter(level=level).order_by("at")
    return rows.values_list("at", flat=True).first()


def _within(table: Any, span: Span) -> Any:
    return table.objects.order_by().filter(
        level=span.level, at__gte=span.start, at__lt=span.end
    )


def _wanted(asked: Asked, *columns: str) -> Q:
    wanted = Q()
    for column in columns:
        if column in asked.columns:
            wanted &= Q((f"{column}__in", asked.columns[column]))
    return wanted
