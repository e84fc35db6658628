"""The queries: few and bounded, whatever the range.

The database adds up what it can, and joins histograms as texts, so that few rows come
from many: converting each by itself would cost more than everything else together.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache, reduce
from operator import add
from typing import TYPE_CHECKING, Any, NamedTuple

from django.db.models import Aggregate, Max, Min, Q, Sum, TextField
from django.db.models.functions import Cast

from metrics.history.values import Before, Use
from metrics.models import Gauge, Rollup, RollupLevel, ServerEventLog
from metrics.models.rollups import ERRORS
from metrics.selection.filters import CHOICES, SUMMED_CHOICES

if TYPE_CHECKING:
    from metrics.history.query import HistoryQuery
    from metrics.history.steps import ChartSpan

MOST_EVENTS = 500
CHOICE_COLUMNS = tuple(choice.column for choice in SUMMED_CHOICES)
CHOICES_REACH = timedelta(days=90)


class SumRow(NamedTuple):
    """What the requests of a model add up to in a span."""

    at_s: int
    model: str
    requests: int
    finished: int
    cancelled: int
    rejected: int
    invalid: int
    timed_out: int
    failed: int
    interrupted: int
    prompt_tokens: int
    cached_tokens: int
    completion_tokens: int
    tps_count: int
    tps_sum: float
    tps_min: float | None
    tps_max: float | None


class TextRow(NamedTuple):
    """JSON of a span: a histogram, or counts by reason, of each of its rows."""

    at_s: int
    reasons: str
    ttft: str
    inter_token: str
    queue: str


class GaugeRow(NamedTuple):
    """What the charts need of a `Gauge`."""

    at_s: int
    node: str
    boot_id: str
    model: str
    looks: int
    running_sum: int
    waiting_sum: int
    waiting_max: int
    memory_bytes: int
    budget_bytes: int


class Joined(Aggregate):
    """The texts of a group, with commas between them."""

    function = "STRING_AGG"
    template = "%(function)s(%(expressions)s, ',')"
    output_field = TextField()

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> Any:
        """Call it as SQLite does."""
        return self.as_sql(compiler, connection, function="GROUP_CONCAT", **context)


_WHEN = Cast(Min("at"), TextField())
_LOWEST_HIGHEST = {"tps_min": Min, "tps_max": Max}


@lru_cache(maxsize=8192)
def unix_s(text: str) -> int:
    """Read a time as either database writes it: in UTC, with or without saying so."""
    at = datetime.fromisoformat(text)
    return int(at.replace(tzinfo=at.tzinfo or UTC).timestamp())


def sum_rows(query: HistoryQuery) -> list[SumRow]:
    """Sum up by span and model."""
    columns = {
        f"{name}_": _LOWEST_HIGHEST.get(name, Sum)(name) for name in SumRow._fields[2:]
    }
    found = _rollups(query).values("at", "model").annotate(at_=_WHEN, **columns)
    return [
        SumRow(unix_s(at), *row)
        for at, *row in found.values_list("at_", "model", *columns)
    ]


def text_rows(query: HistoryQuery) -> list[TextRow]:
    """Put what no database can add up into one text by span."""
    columns = {
        f"{name}_": Joined(Cast(name, TextField())) for name in TextRow._fields[1:]
    }
    found = _rollups(query).values("at").annotate(at_=_WHEN, **columns)
    return [
        TextRow(unix_s(at), *row) for at, *row in found.values_list("at_", *columns)
    ]


def uses(query: HistoryQuery) -> list[Use]:
    """Sum up by key, the busiest first."""
    names = ("requests", "prompt_tokens", "completion_tokens")
    sums = {f"{name}_": Sum(name) for name in names}
    errors = reduce(add, map(Sum, ERRORS))
    found = _rollups(query).values("key_name").annotate(**sums, errors_=errors)
    rows = found.values_list("key_name", *sums, "errors_")
    return sorted((Use(*row) for row in rows), key=lambda use: (-use.requests, use.key))


def _rollups(query: HistoryQuery) -> Any:
    return _within(Rollup, query.span).filter(_wanted(query, *query.choices))


def gauge_rows(query: HistoryQuery) -> list[GaugeRow]:
    """Read what the servers were seen doing: whole servers, and the models asked for.

    Nobody looked at endpoints or keys.
    """
    rows = _within(Gauge, query.span).filter(_about(query))
    found = rows.annotate(at_=Cast("at", TextField()))
    values = found.values_list("at_", *GaugeRow._fields[1:])
    return [GaugeRow(unix_s(at), *row) for at, *row in values.iterator()]


def before(query: HistoryQuery) -> Before:
    """Sum up the equally long range before."""
    length = query.span.end - query.span.start
    rows = Rollup.objects.filter(
        level=query.span.level,
        at__gte=query.span.start - length,
        at__lt=query.span.start,
    ).filter(_wanted(query, *query.choices))
    sums = rows.order_by().aggregate(
        **{name: Sum(name, default=0) for name in ("requests", *ERRORS)}
    )
    return Before(sums["requests"], sum(sums[name] for name in ERRORS))


def events(query: HistoryQuery) -> list[ServerEventLog]:
    """Read the newest events of a range, one more than are told."""
    rows = ServerEventLog.objects.filter(
        at__gte=query.span.start, at__lt=query.span.end
    ).filter(_about(query))
    return list(rows.order_by("-at", "-id")[: MOST_EVENTS + 1])


def choices(now: datetime) -> set[tuple[str, ...]]:
    """Read which models, endpoints, keys and nodes occurred of late."""
    rows = Rollup.objects.filter(level=RollupLevel.DAY, at__gte=now - CHOICES_REACH)
    return set(rows.order_by().values_list(*CHOICE_COLUMNS).distinct()[:2000])


def readable(span: ChartSpan) -> ChartSpan:
    """Coarsen a span where its fine sums are no longer kept, and coarser ones are."""
    for level, coarser in (
        (RollupLevel.MINUTE, RollupLevel.HOUR),
        (RollupLevel.HOUR, RollupLevel.DAY),
    ):
        if span.level == level and _reaches_further(coarser, level, span):
            span = span.coarsened(int(coarser.span.total_seconds()))
    return span


def _reaches_further(coarser: RollupLevel, level: RollupLevel, span: ChartSpan) -> bool:
    """Whether sums of `coarser` lie in the span before the first of `level`."""
    at = Rollup.objects.filter(level=level).order_by("at").values_list("at", flat=True)
    first = at.first() or span.end
    if first <= span.start:
        return False
    older = Rollup.objects.filter(
        level=coarser,
        at__gte=coarser.start_of(span.start),
        at__lt=min(span.end, coarser.start_of(first)),
    )
    return older.exists()


def _within(table: Any, span: ChartSpan) -> Any:
    return table.objects.order_by().filter(
        level=span.level, at__gte=span.start, at__lt=span.end
    )


def _about(query: HistoryQuery) -> Q:
    """Return what concerns whole servers, or the models that are asked for."""
    models = _wanted(query, "model")
    return _wanted(query, "node") & (models | Q(model="") if models else models)


def _wanted(query: HistoryQuery, *names: str) -> Q:
    wanted = Q()
    for name in names:
        if name in query.choices:
            wanted &= Q((f"{CHOICES[name].column}__in", query.choices[name]))
    return wanted
