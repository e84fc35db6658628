"""One look at the server: everything `/metrics` shows, standing still."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Mapping

    from inference.core.catalog import ModelCard, QueueSnapshot
    from inference.runtime.app import App
    from metrics.prometheus.counts import RunCounts

_IDLE_STATES = frozenset({"unloaded"})


@dataclass(frozen=True, slots=True)
class Moment:
    """Frozen, so that a thread may make text of it while the loop goes on."""

    counts: RunCounts
    queues: QueueSnapshot
    versions: Mapping[str, str]
    started_at: float
    budget_bytes: int
    lag_bytes: int
    backlog_lines: int
    dropped_lines: int
    suppressed_rows: int
    is_ready: bool
    is_draining: bool

    @classmethod
    def of(
        cls,
        app: App,
        counts: RunCounts,
        *,
        versions: Mapping[str, str],
        started_at: float,
    ) -> Self:
        """Look at the server; call it on the event loop."""
        queues = app.service.snapshot()
        for card in queues.models:
            # Series begin at zero, or their first step would be missed.
            if card.state not in _IDLE_STATES:
                counts.of(card.key)
        return cls(
            counts=counts.copied(),
            queues=queues,
            versions=versions,
            started_at=started_at,
            budget_bytes=app.service.memory_budget_bytes,
            lag_bytes=app.record.spool_lag_bytes,
            backlog_lines=app.record.backlog_lines,
            dropped_lines=app.record.dropped_total,
            suppressed_rows=app.unauthenticated.suppressed_total,
            is_ready=app.service.is_ready,
            is_draining=app.service.is_draining,
        )

    @property
    def cards(self) -> list[ModelCard]:
        """The models with a name of their own among the labels."""
        known = self.counts.models
        return [card for card in self.queues.models if card.key in known]

    def cache_share(self, card: ModelCard) -> float:
        """Return which share of the room for caches a model's caches take."""
        loaded = [each for each in self.queues.models if each.memory_bytes]
        room = self.budget_bytes - sum(each.size_bytes or 0 for each in loaded)
        taken = (card.memory_bytes or 0) - (card.size_bytes or 0)
        return min(1.0, max(0.0, taken / room)) if room > 0 else 0.0
