"""The queue's state and the totals in the shape of `GET /v1/queue/stats`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from inference.core.events import RecordHealth, StatsTotals
from inference.core.outcomes import Outcome, RequestKind

if TYPE_CHECKING:
    from collections.abc import Mapping

    from inference.core.catalog import ModelCard, QueueSnapshot

_KINDS = tuple(kind.value for kind in RequestKind if kind is not RequestKind.OTHER)


def stats_body(
    snapshot: QueueSnapshot,
    totals: StatsTotals,
    by_model: Mapping[str, StatsTotals],
    record: RecordHealth,
    *,
    suppressed_rows: int = 0,
) -> dict[str, Any]:
    """Queue and totals, over all models and for each; how far the record is behind."""
    return {
        "status": "ok",
        "queue_stats": {
            "running": snapshot.running,
            "queue_size": snapshot.waiting,
            "max_queue_size": snapshot.max_waiting,
            "active_requests": snapshot.active,
            "max_concurrency": snapshot.max_concurrency,
        },
        "metrics": metrics_body(totals),
        "models": {
            card.key: _model_stats(card, by_model.get(card.key, StatsTotals()))
            for card in snapshot.models
        },
        "record": {
            "spool_lag_bytes": record.spool_lag_bytes,
            "backlog_lines": record.backlog_lines,
            "dropped_total": record.dropped_total,
            "suppressed_total": suppressed_rows,
            "last_error": record.last_error,
        },
    }


def metrics_body(totals: StatsTotals) -> dict[str, Any]:
    """Totals over all time; times in seconds, rates in tokens per second."""
    ended = sum(totals.outcomes.values())
    return {
        "total_requests": totals.total_requests,
        "total_tokens": totals.total_tokens,
        "total_time": totals.total_time_s,
        "request_types": {kind: totals.request_types.get(kind, 0) for kind in _KINDS},
        "error_count": totals.error_count,
        "error_rate": totals.error_count / ended if ended else 0.0,
        "outcomes": totals.outcomes,
        "rejected": totals.outcomes.get(Outcome.REJECTED, 0),
        "invalid": totals.outcomes.get(Outcome.INVALID, 0),
        "performance": {
            "avg_tps": totals.avg_tps,
            "max_tps": totals.max_tps,
            "min_tps": totals.min_tps,
            "recent_requests": totals.recent_requests,
        },
    }


def _model_stats(card: ModelCard, totals: StatsTotals) -> dict[str, Any]:
    return {
        "state": card.state,
        "active_requests": card.active,
        "queue_size": card.waiting,
        "max_concurrency": card.max_concurrency,
        "metrics": metrics_body(totals),
    }
