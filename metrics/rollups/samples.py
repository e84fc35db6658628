"""Samples of seats, queues and memory into `Gauge` rows: minute, hour and day."""

from __future__ import annotations

from typing import TYPE_CHECKING

from metrics.models import Gauge, RollupLevel
from metrics.models.fitting import fitted_text, moment

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from inference.core.events import ServerSample

KEY = ("level", "at", "boot_id", "model")
ADDED = ("looks", "running_sum", "waiting_sum")
HIGHEST = ("running_max", "waiting_max", "memory_bytes", "budget_bytes")


def add_samples(samples: Iterable[ServerSample]) -> None:
    """Add samples to the rows of their spans."""
    added: dict[tuple[object, ...], Gauge] = {}
    for sample in samples:
        for row in _rows_of(sample):
            earlier = added.setdefault(_key_of(row), row)
            if earlier is not row:
                _merge(earlier, row)
    if not added:
        return
    for known in _rows_at(added.values()):
        if (key := _key_of(known)) in added:
            _merge(added[key], known)
    Gauge.objects.bulk_create(
        added.values(),
        update_conflicts=True,
        unique_fields=KEY,
        update_fields=(*ADDED, *HIGHEST),
    )


def _rows_of(sample: ServerSample) -> Iterator[Gauge]:
    at = moment(sample.at)
    assert at is not None
    for level in RollupLevel:
        key = {
            "level": level,
            "at": level.start_of(at),
            "node": fitted_text(Gauge, "node", sample.node),
            "boot_id": fitted_text(Gauge, "boot_id", sample.boot_id),
            "looks": sample.looks,
        }
        yield Gauge(
            **key,
            model="",
            waiting_sum=sample.waiting_sum,
            waiting_max=sample.waiting_max,
            memory_bytes=sample.memory_bytes,
            budget_bytes=sample.budget_bytes,
        )
        for seen in sample.models:
            yield Gauge(
                **key,
                model=fitted_text(Gauge, "model", seen.model),
                running_sum=seen.running_sum,
                running_max=seen.running_max,
                waiting_sum=seen.waiting_sum,
                waiting_max=seen.waiting_max,
                memory_bytes=seen.memory_bytes,
            )


def _merge(into: Gauge, other: Gauge) -> None:
    for name in ADDED:
        setattr(into, name, getattr(into, name) + getattr(other, name))
    for name in HIGHEST:
        setattr(into, name, max(getattr(into, name), getattr(other, name)))


def _rows_at(rows: Iterable[Gauge]) -> Iterable[Gauge]:
    wanted = {name: {getattr(row, name) for row in rows} for name in KEY}
    return Gauge.objects.filter(
        **{f"{name}__in": list(values) for name, values in wanted.items()}
    ).order_by()


def _key_of(row: Gauge) -> tuple[object, ...]:
    return tuple(getattr(row, name) for name in KEY)
