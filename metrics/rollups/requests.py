"""Ended requests into rows of sums: minute, hour and day at once."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from metrics.models import RequestLog, Rollup, RollupLevel
from metrics.models.upserts import Upsert
from metrics.rollups.sums import READ, SUMMED, Sums, merge, take_out

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

KEY = ("level", "at", "boot_id", "model", "endpoint", "key_name")
_SUMS = Upsert(Rollup, unique=KEY, over=SUMMED)


@dataclass(frozen=True, slots=True)
class RollupPlace:
    """Which row of sums a request belongs to."""

    level: RollupLevel
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

    def widened(self, level: RollupLevel) -> RollupPlace:
        """Return the place of the longer span that this one lies in."""
        at = level.start_of(self.at)
        return RollupPlace(
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


def compared(
    ends: Mapping[str, RequestLog],
) -> tuple[list[RequestLog], list[RequestLog]]:
    """Return those of `ends`, by request id, to be counted, and rows to be uncounted.

    To be asked before they are written: what stands in the table as ended was counted.
    It was by mistake where another server, or a replay, took the run for lost.
    """
    if not ends:
        return [], []
    there = RequestLog.objects.ended().filter(request_id__in=list(ends)).order_by()
    known = {row.request_id: row for row in there.only("request_id", *READ)}
    mistaken = {name: row for name, row in known.items() if row.is_taken_for_lost}
    right = known.keys() - mistaken.keys()
    new = [row for request_id, row in ends.items() if request_id not in right]
    return new, list(mistaken.values())


def add_requests(
    rows: Iterable[RequestLog], *, instead_of: Iterable[RequestLog] = ()
) -> None:
    """Count ended requests; in the transaction that makes them ended.

    The rows of `instead_of` are no longer counted. Who calls this holds the sums of
    these runs, so what is read here does not change until it is written.
    """
    added, taken = summed(rows), summed(instead_of)
    if not added:
        return
    known = {_key_of(row): row for row in _rows_at(added | taken)}
    for place, sums in taken.items():
        # A sum may be gone by its retention.
        if (row := known.get(place.key)) is not None:
            take_out(row, sums)
    for place, sums in added.items():
        row = known.setdefault(place.key, place.row(Sums()))
        merge(row, sums)
    _write_sums(known[place.key] for place in added | taken if place.key in known)


def _write_sums(rows: Iterable[Rollup]) -> None:
    """Write sums; one that counts nothing any more goes."""
    by_emptiness: dict[bool, list[Rollup]] = {True: [], False: []}
    for row in rows:
        by_emptiness[row.requests == 0].append(row)
    save(by_emptiness[False])
    if empty := [row.pk for row in by_emptiness[True]]:
        Rollup.objects.filter(pk__in=empty).delete()


def summed(rows: Iterable[RequestLog]) -> dict[RollupPlace, Sums]:
    """Return what requests add up to, on every level."""
    minutes = by_minute(rows)
    all_levels = dict(minutes)
    for level in (RollupLevel.HOUR, RollupLevel.DAY):
        all_levels |= widened(minutes, level)
    return all_levels


def by_minute(rows: Iterable[RequestLog]) -> dict[RollupPlace, Sums]:
    """Return what requests add up to in each minute."""
    sums: defaultdict[tuple[object, ...], Sums] = defaultdict(Sums)
    for row in rows:
        minute = int(row.started_at.timestamp()) // 60
        named = (row.boot_id, row.model, row.endpoint, row.key_name, row.node)
        sums[(minute, *named)].add(row)
    return {_minute_place(key): value for key, value in sums.items()}


def widened(
    finer: Mapping[RollupPlace, Sums], level: RollupLevel
) -> dict[RollupPlace, Sums]:
    """Return the same sums for longer spans."""
    sums: defaultdict[RollupPlace, Sums] = defaultdict(Sums)
    for place, part in finer.items():
        merge(sums[place.widened(level)], part)
    return dict(sums)


def save(rows: Iterable[Rollup]) -> None:
    """Write rows of sums, over what is there."""
    _SUMS.write(rows)


def _rows_at(places: Iterable[RollupPlace]) -> Iterable[Rollup]:
    """Return the rows of these places, and few others."""
    wanted = {name: {getattr(place, name) for place in places} for name in KEY}
    return Rollup.objects.filter(
        **{f"{name}__in": list(values) for name, values in wanted.items()}
    ).order_by()


def _key_of(row: Rollup) -> tuple[object, ...]:
    return tuple(getattr(row, name) for name in KEY)


def _minute_place(key: tuple[object, ...]) -> RollupPlace:
    minute, boot_id, model, endpoint, key_name, node = key
    assert isinstance(minute, int)
    at = datetime.fromtimestamp(minute * 60, UTC)
    return RollupPlace(
        RollupLevel.MINUTE,
        at,
        str(boot_id),
        str(model),
        str(endpoint),
        str(key_name),
        str(node),
    )
