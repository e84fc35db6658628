"""Totals over all time, in memory: loaded once, then fed by the requests' ends.

What counts: a *generation* got a seat and has a kind (text or vision); requests,
tokens and time are those of ended generations, whatever their end. `outcomes` and
`error_count` (failed, timed out, interrupted) count every ended request, with a
seat or without. Requests of other servers on the same database join at the next
boot.
"""

from __future__ import annotations

import logging
from collections import Counter, defaultdict, deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from django.db import Error

from inference.core.events import RequestObserver, StatsTotals
from inference.core.outcomes import Outcome, RequestKind
from metrics.aggregates import RECENT, Past, Speed, past_of_models, recent_speeds

if TYPE_CHECKING:
    from inference.core.events import RequestRecord

logger = logging.getLogger("metrics.totals")

GENERATION_KINDS = tuple(kind for kind in RequestKind if kind)
ENDED_OUTCOMES = tuple(end for end in Outcome if end is not Outcome.RUNNING)
ERROR_OUTCOMES = (Outcome.FAILED, Outcome.TIMED_OUT, Outcome.INTERRUPTED)


@dataclass(slots=True)
class _Tally:
    """Running sums for all models, or for one."""

    kinds: Counter[RequestKind] = field(default_factory=Counter)
    outcomes: Counter[Outcome] = field(default_factory=Counter)
    tokens: int = 0
    time_s: float = 0.0
    speeds: deque[Speed] = field(default_factory=lambda: deque(maxlen=RECENT))

    def add(self, record: RequestRecord) -> None:
        self.outcomes[record.outcome] += 1
        if record.admitted and record.kind:
            self.kinds[record.kind] += 1
            self.tokens += record.completion_tokens or 0
            self.time_s += (record.total_s or 0.0) - (record.queue_s or 0.0)

    def add_past(self, past: Past) -> None:
        for end, count in past.outcomes.items():
            self.outcomes[Outcome(end)] += count
        for kind, count in past.kinds.items():
            self.kinds[RequestKind(kind)] += count
        self.tokens += past.tokens
        self.time_s += past.time_s

    @property
    def avg_tps(self) -> float:
        """What the last finished made over the time it took them."""
        moved = [speed for speed in self.speeds if speed.tokens and speed.tps]
        if not moved:
            return 0.0
        busy_s = sum(speed.tokens / speed.tps for speed in moved)
        tokens = sum(speed.tokens for speed in moved)
        rates = [speed.tps for speed in moved]
        # Rounding must not lead past the slowest or the fastest.
        return min(max(tokens / busy_s, min(rates)), max(rates))

    def to_totals(self) -> StatsTotals:
        return StatsTotals(
            total_requests=self.kinds.total(),
            total_tokens=self.tokens,
            total_time_s=self.time_s,
            request_types={kind.value: self.kinds[kind] for kind in GENERATION_KINDS},
            outcomes={end.value: self.outcomes[end] for end in ENDED_OUTCOMES},
            error_count=sum(self.outcomes[end] for end in ERROR_OUTCOMES),
            avg_tps=self.avg_tps,
            max_tps=max((speed.tps for speed in self.speeds), default=0.0),
            min_tps=min((speed.tps for speed in self.speeds), default=0.0),
            recent_requests=len(self.speeds),
        )


class Totals(RequestObserver):
    """Implements `StatsSource` too; lives on the event loop."""

    def __init__(self) -> None:
        self._forget()

    def load(self) -> bool:
        """Begin with what the database holds; from zero, with `False`, where it fails.

        Blocks: call it before the server takes requests.
        """
        try:
            self._load()
        except Error as error:
            logger.warning("Totals start from zero: %s", error)
            self._forget()
            return False
        return True

    @property
    def avg_tps(self) -> float:
        """What `totals().avg_tps` is, without the rest of it."""
        return self._all.avg_tps

    def totals(self) -> StatsTotals:
        """Return the totals as of now."""
        return self._all.to_totals()

    def totals_by_model(self) -> dict[str, StatsTotals]:
        """Return the same per model key."""
        return {model: tally.to_totals() for model, tally in self._by_model.items()}

    def request_finished(self, record: RequestRecord) -> None:
        """Count a request that ended."""
        self._all.add(record)
        if record.model:
            self._by_model[record.model].add(record)
        if record.outcome is Outcome.FINISHED and record.tps is not None:
            speed = Speed(record.completion_tokens or 0, record.tps)
            self._all.speeds.append(speed)
            if record.model:
                self._by_model[record.model].speeds.append(speed)

    def _forget(self) -> None:
        self._all = _Tally()
        self._by_model: defaultdict[str, _Tally] = defaultdict(_Tally)

    def _load(self) -> None:
        self._forget()
        for past in past_of_models():
            self._all.add_past(past)
            if past.model:
                self._by_model[past.model].add_past(past)
        self._all.speeds.extend(recent_speeds())
        for model, tally in self._by_model.items():
            tally.speeds.extend(recent_speeds(model))
