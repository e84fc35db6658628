"""From tables to an answer, in a handful of queries."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from inspect import getmembers, isclass
from typing import TYPE_CHECKING, Any

from inference.core import errors
from inference.core.outcomes import Outcome
from metrics.histograms import INTER_TOKEN_S, TOTAL_S, TTFT_S, merged, quantile
from metrics.history import rows
from metrics.history.gauges import GaugeSums, points_up, stretches_down
from metrics.history.requests import BY_MODEL, RequestSums, percentiles
from metrics.history.values import ChartEvent, Choices, History, PeriodTotals
from metrics.models.rollups import ENDS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from metrics.history.query import HistoryQuery
    from metrics.history.values import Counts, Figures
    from metrics.models import ServerEventLog

MOST_REASONS = 8
OTHER = "other"
# Ends that took something away from somebody.
LOSSES = frozenset(
    {
        *("server_lost", "model_load_failed", "model_quarantined"),
        *("worker_died", "memory_refused"),
    }
)
REASON_OUTCOMES: dict[str, str] = {
    error.code: error.outcome.value
    for _, error in getmembers(errors, isclass)
    if issubclass(error, errors.InferenceError) and hasattr(error, "code")
} | {"crash": Outcome.INTERRUPTED.value}
# Reasons of requests that were taken back: no errors of the server. So is all that
# begins with `cancelled`.
CANCELLING = frozenset({"client_disconnected", "client_too_slow", ""})
BOUNDS = {
    "ttft": TTFT_S,
    "inter_token": INTER_TOKEN_S,
    "queue": TOTAL_S,
}


def read_history(query: HistoryQuery, *, now: datetime) -> History:
    """Return the series of a range."""
    query = replace(query, span=rows.readable(query.span))
    span, now_s = query.span, int(now.timestamp())
    requests = RequestSums(span, rows.sum_rows(query), rows.text_rows(query))
    gauges = GaugeSums(span, models=frozenset(query.choices.get("model", ())))
    gauges.add(rows.gauge_rows(query))
    down = stretches_down(span, requests.seen | gauges.seen, now_s=now_s)
    up = points_up(span, down, now_s=now_s)
    events = rows.events(query)
    choices = _choices(rows.choices(now))
    return History(
        start=span.start_s,
        end=span.end_s,
        now=now_s,
        step=span.step_s,
        level=span.level.value,
        is_open=query.is_open,
        is_empty=not (choices.model or requests.by_model),
        at=list(span.points),
        up=up,
        down=down,
        **_request_series(requests, up),
        depth=gauges.depth(),
        memory=gauges.memory(),
        budget=gauges.budget(),
        keys=rows.uses(query),
        before=rows.before(query),
        events=[_event(event) for event in reversed(events[: rows.MOST_EVENTS])],
        events_left_out=len(events) > rows.MOST_EVENTS,
        choices=choices,
    )


def _request_series(requests: RequestSums, up: Sequence[bool]) -> dict[str, Any]:
    histograms = {name: requests.histograms(name) for name in BOUNDS}
    reasons = _reasons(requests.reasons(), up)
    models = sorted(requests.by_model)
    by_model = {
        name: {model: _counts(requests.by_model[model][name], up) for model in models}
        for name in BY_MODEL
    }
    return {
        **by_model,
        **{name: percentiles(histograms[name], BOUNDS[name]) for name in BOUNDS},
        "models": models,
        "outcomes": {end: _counts(requests.sums[end], up) for end in ENDS},
        "reasons": reasons,
        "reason_outcomes": {
            reason: REASON_OUTCOMES.get(reason, "") for reason in reasons
        },
        "error_rate": _shares(requests.errors(), requests.sums["requests"]),
        "cache_hit_rate": _shares(
            requests.sums["cached_tokens"], requests.sums["prompt_tokens"]
        ),
        "tps": requests.speed(),
        "totals": _totals(requests, histograms["ttft"]),
    }


def _counts(counts: Sequence[int], up: Sequence[bool]) -> Counts:
    return [count if is_up else None for count, is_up in zip(counts, up, strict=True)]


def _shares(parts: Sequence[int], wholes: Sequence[int]) -> Figures:
    return [
        round(part / whole, 4) if whole else None
        for part, whole in zip(parts, wholes, strict=True)
    ]


def _reasons(counters: Sequence[Counter[str]], up: Sequence[bool]) -> dict[str, Counts]:
    in_all: Counter[str] = Counter()
    for counter in counters:
        in_all.update(counter)
    ordered = sorted(in_all.items(), key=lambda item: (-item[1], item[0]))
    names = [name for name, _ in ordered if _is_error(name)]
    told, rest = names[:MOST_REASONS], names[MOST_REASONS:]
    reasons = {name: _counts([at[name] for at in counters], up) for name in told}
    if rest:
        others = [sum(at[name] for name in rest) for at in counters]
        reasons[OTHER] = _counts(others, up)
    return reasons


def _is_error(reason: str) -> bool:
    return reason not in CANCELLING and not reason.startswith("cancelled")


def _totals(requests: RequestSums, ttft: Iterable[Sequence[int]]) -> PeriodTotals:
    whole = merged(*ttft)
    return PeriodTotals(
        requests=sum(requests.sums["requests"]),
        prompt_tokens=sum(requests.sums["prompt_tokens"]),
        completion_tokens=sum(requests.sums["completion_tokens"]),
        cached_tokens=sum(requests.sums["cached_tokens"]),
        errors=sum(requests.errors()),
        outcomes={end: sum(requests.sums[end]) for end in ENDS},
        ttft_p50_s=quantile(whole, TTFT_S, 0.5),
        ttft_p95_s=quantile(whole, TTFT_S, 0.95),
        tps_avg=requests.mean_tps(),
    )


def _event(row: ServerEventLog) -> ChartEvent:
    text = ": ".join(filter(None, (str(row), row.detail)))
    return ChartEvent(row.at.timestamp(), row.kind, text, row.kind in LOSSES)


def _choices(seen: Iterable[tuple[str, ...]]) -> Choices:
    columns = [sorted(set(column)) for column in zip(*seen, strict=True)]
    return Choices(*(columns or ([], [], [], [])))
