"""How long the record is kept, and the deletion of what is older, bit by bit."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from django.utils import timezone

from inference.models import ConversationRow, ResponseRow
from metrics.models import (
    Gauge,
    RequestBody,
    RequestLog,
    Rollup,
    RollupLevel,
    ServerEventLog,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from django.db.models import Model, QuerySet

PRUNE_BATCH = 1000
# Of rows that hold whole answers, or have many others below them.
LARGE_ROWS = 100
_BATCHES: dict[type[Model], int] = {
    ResponseRow: LARGE_ROWS,
    ConversationRow: LARGE_ROWS,
}


@dataclass(frozen=True, slots=True)
class Retention:
    """How many days each kind of row is kept; 0: for ever.

    Events are kept as long as the hours' sums; stored responses and conversations for
    `responses_s` seconds, 0 of them for no time at all.
    """

    rows_days: int = 30
    minutes_days: int = 90
    hours_days: int = 0
    days_days: int = 0
    bodies_days: int = 7
    responses_s: float = 86_400.0

    def expired(self, now: datetime) -> dict[str, QuerySet[Any]]:
        """Return, by what it is, everything that has been there long enough."""
        by_level = {
            RollupLevel.MINUTE: self.minutes_days,
            RollupLevel.HOUR: self.hours_days,
            RollupLevel.DAY: self.days_days,
        }
        old: dict[str, QuerySet[Any] | None] = {
            "requests": _older(
                RequestLog.objects.ended(), "started_at", self.rows_days, now
            ),
            "bodies": _older(
                RequestBody.objects.all(), "started_at", self.bodies_days, now
            ),
            "events": _older(ServerEventLog.objects.all(), "at", self.hours_days, now),
        }
        for level, days in by_level.items():
            for name, table in (("sums", Rollup), ("samples", Gauge)):
                rows = table.objects.filter(level=level)
                old[f"{level} {name}"] = _older(rows, "at", days, now)
        stored_for = timedelta(seconds=self.responses_s)
        stored: dict[str, QuerySet[Any]] = {
            "responses": ResponseRow.objects.expired(stored_for, now=now),
            "conversations": ConversationRow.objects.expired(stored_for, now=now),
        }
        return {name: rows for name, rows in old.items() if rows is not None} | stored


class Pruner:
    """Deletes what has expired, a batch at a time, so that others get their turn."""

    def __init__(
        self, retention: Retention, *, now: Callable[[], datetime] = timezone.now
    ) -> None:
        self._retention = retention
        self._now = now
        self._under_way: Iterator[tuple[str, int]] | None = None

    def step(self) -> bool:
        """Delete one batch; return whether there may be more."""
        if self._under_way is None:
            self._under_way = self.batches()
        if next(self._under_way, None) is None:
            self._under_way = None
            return False
        return True

    def batches(self) -> Iterator[tuple[str, int]]:
        """Delete batch after batch; yield what each was, and how many rows it had."""
        for name, rows in self._retention.expired(self._now()).items():
            while count := _delete_some(rows):
                yield name, count


def _older(
    rows: QuerySet[Any], column: str, days: int, now: datetime
) -> QuerySet[Any] | None:
    """Return those of `rows` that are older, whole hours of them; `None`: never."""
    if not days:
        return None
    # An hour is there whole or not at all, which is what a backfill looks for.
    until = RollupLevel.HOUR.start_of(now - timedelta(days=days))
    return rows.filter(**{f"{column}__lt": until}).order_by(column)


def _delete_some(rows: QuerySet[Any]) -> int:
    table: type[Model] = rows.model
    most = _BATCHES.get(table, PRUNE_BATCH)
    keys = list(rows.values_list("pk", flat=True)[:most])
    if keys:
        table._default_manager.filter(pk__in=keys).delete()  # noqa: SLF001 -- documented Django API
    return len(keys)
