"""Ended requests into rows of sums: minute, hour and day at once."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from inference.core.outcomes import Outcome
from metrics.models import Level, RequestLog, Rollup
from metrics.models.upserts import Upsert
from metrics.rollups.sums import SUMMED, Sums, merge

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

KEY = ("level", "at", "boot_id", "model", "endpoint", "key_name")
_SUMS = Upsert(Rollup, unique=KEY, over=SUMMED)


@dataclass(frozen=True, slots=True)
class Place:
    """Which row of sums a request belongs to."""

    level: Level
    at: datetime
    boot_id: str
    model: str
    endpoint: str
    key_name: str
    node: str

    @property
    def key(self) -> tuple[object, ...]:
        """What makes the row unique."""
        return tuple(getattr(self, name) for name in KEY)

    def widened(self, level: Level) -> Place:
        """Return the place of the longer span that this one lies in."""
        at = level.start_of(self.at)
        return Place(
            level,
            at,
            self.boot_id,
            self.model,
            self.endpoint,
            self.key_name,
            self.node,
        )

    def row(self, sums: Sums) -> Rollup:
        """Return an unsaved row that holds `sums`."""
        key = {name: getattr(self, name) for name in (*KEY, "node")}
        return Rollup(**key, **{name: getattr(sums, name) for name in SUMMED})


def uncounted(ends: Mapping[str, RequestLog]) -> list[RequestLog]:
    """Return those of `ends`, by request id, that no row of sums has seen.

    To be asked before they are written: what stands in the table as ended was counted.
    """
    counted = (
        RequestLog.objects.filter(request_id__in=list(ends))
        .exclude(outcome=Outcome.RUNNING)
        .order_by()
        .values_list("request_id", flat=True)
    )
    known = set(counted) if ends else set()
    return [row for request_id, row in ends.items() if request_id not in known]


def add_requests(rows: Iterable[RequestLog]) -> None:
    """Count ended requests; in the transaction that makes them ended.

    One run has one writer, so what is read here does not change until it is written.
    """
    added = summed(rows)
    if not added:
        return
    known = {_key_of(row): row for row in _rows_at(added)}
    for place, sums in added.items():
        row = known.get(place.key)
        if row is not None:
            merge(row, sums)
        else:
            known[place.key] = place.row(sums)
    save(known[place.key] for place in added)


def summed(rows: Iterable[RequestLog]) -> dict[Place, Sums]:
    """Return what requests add up to, on every level."""
    minutes = by_minute(rows)
    all_levels = dict(minutes)
    for level in (Level.HOUR, Level.DAY):
        all_levels |= widened(minutes, level)
    return all_levels


def by_minute(rows: Iterable[RequestLog]) -> dict[Place, Sums]:
    """Return what requests add up to in each minute."""
    sums: defaultdict[tuple[object, ...], Sums] = defaultdict(Sums)
    for row in rows:
        minute = int(row.started_at.timestamp()) // 60
        named = (row.boot_id, row.model, row.endpoint, row.key_name, row.node)
        sums[(minute, *named)].add(row)
    return {_minute_place(key): value for key, value in sums.items()}


def widened(finer: Mapping[Place, Sums], level: Level) -> dict[Place, Sums]:
    """Return the same sums for longer spans."""
    sums: defaultdict[Place, Sums] = defaultdict(Sums)
    for place, part in finer.items():
        merge(sums[place.widened(level)], part)
    return dict(sums)


def save(rows: Iterable[Rollup]) -> None:
    """Write rows of sums, over what is there."""
    _SUMS.write(rows)


def _rows_at(places: Iterable[Place]) -> Iterable[Rollup]:
    """Return the rows of these places, and few others."""
    wanted = {name: {getattr(place, name) for place in places} for name in KEY}
    return Rollup.objects.filter(
        **{f"{name}__in": list(values) for name, values in wanted.items()}
    ).order_by()


def _key_of(row: Rollup) -> tuple[object, ...]:
    return tuple(getattr(row, name) for name in KEY)


def _minute_place(key: tuple[object, ...]) -> Place:
    minute, boot_id, model, endpoint, key_name, node = key
    assert isinstance(minute, int)
    at = datetime.fromtimestamp(minute * 60, UTC)
    return Place(
        Level.MINUTE,
        at,
        str(boot_id),
        str(model),
        str(endpoint),
        str(key_name),
        str(node),
    )
