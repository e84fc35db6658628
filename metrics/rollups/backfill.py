"""Making sums anew from requests, beside servers that go on adding to them.

An hour's sums are replaced only where all of its requests are still there: where at
least as many rows are left as were summed. Days are then added up from hours.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from django.db import transaction
from django.db.models import QuerySet, Sum

from metrics.models import RequestLog, Rollup, RollupLevel
from metrics.rollups.lock import hold_sums
from metrics.rollups.requests import RollupPlace, by_minute, save, widened
from metrics.rollups.sums import READ, Sums, merge

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Progress:
    """One more hour was looked at: how many requests it has, and what became of it."""

    hour: datetime
    requests: int
    is_rebuilt: bool


def backfill(since: datetime | None = None) -> Iterator[Progress]:
    """Make sums anew from requests that began at `since` or later, hour by hour."""
    days: set[datetime] = set()
    hour = _next_hour(since)
    while hour is not None:
        progress = _rebuild_hour(hour)
        if progress.is_rebuilt:
            days.add(RollupLevel.DAY.start_of(hour))
        yield progress
        hour = _next_hour(hour + HOUR)
    for day in sorted(days):
        _rebuild_day(day)


def is_needed() -> bool:
    """Whether there are requests and no sums at all: those of an older version."""
    return not Rollup.objects.exists() and _next_hour(None) is not None


def _next_hour(since: datetime | None) -> datetime | None:
    """Return the first hour from `since` on in which an ended request began."""
    rows = RequestLog.objects.ended()
    if since is not None:
        rows = rows.filter(started_at__gte=since)
    first = rows.order_by("started_at").values_list("started_at", flat=True).first()
    return None if first is None else RollupLevel.HOUR.start_of(first)


def _rebuild_hour(hour: datetime) -> Progress:
    span = {"started_at__gte": hour, "started_at__lt": hour + HOUR}
    sums = Rollup.objects.filter(at__gte=hour, at__lt=hour + HOUR)
    with transaction.atomic():
        hold_sums(alone=True)
        rows = RequestLog.objects.ended().filter(**span).order_by().only(*READ)
        minutes = by_minute(rows.iterator(chunk_size=2000))
        counted = sum(part.requests for part in minutes.values())
        if _summed(sums.filter(level=RollupLevel.HOUR)) > counted:
            return Progress(hour, counted, is_rebuilt=False)
        sums.filter(level__in=(RollupLevel.MINUTE, RollupLevel.HOUR)).delete()
        hours = widened(minutes, RollupLevel.HOUR)
        save(place.row(part) for place, part in (minutes | hours).items())
    return Progress(hour, counted, is_rebuilt=True)


def _rebuild_day(day: datetime) -> None:
    hours = Rollup.objects.filter(
        level=RollupLevel.HOUR, at__gte=day, at__lt=day + timedelta(days=1)
    )
    sums = Rollup.objects.filter(level=RollupLevel.DAY, at=day)
    with transaction.atomic():
        hold_sums(alone=True)
        if _summed(sums) > _summed(hours):
            return
        added: dict[RollupPlace, Sums] = {}
        for row in hours.order_by():
            merge(added.setdefault(_day_of(row, day), Sums()), row)
        sums.delete()
        save(place.row(part) for place, part in added.items())


def _day_of(row: Rollup, day: datetime) -> RollupPlace:
    return RollupPlace(
        RollupLevel.DAY,
        day,
        boot_id=row.boot_id,
        model=row.model,
        endpoint=row.endpoint,
        key_name=row.key_name,
        node=row.node,
    )


def _summed(sums: QuerySet[Rollup]) -> int:
    return sums.aggregate(all=Sum("requests"))["all"] or 0
