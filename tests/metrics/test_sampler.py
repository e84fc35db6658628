"""A look a second becomes a row a minute, and the last part of one."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from inference.core.catalog import ModelCard, QueueSnapshot
from inference.core.events import ModelSample, ServerSample
from inference.core.trace import ServerIdentity
from metrics.models import Gauge, RollupLevel
from metrics.sampler import Sampler
from tests.metrics.cast import NOON, recording

if TYPE_CHECKING:
    from pathlib import Path

MINUTE = NOON // 60 * 60


class Hands:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.now = MINUTE

    def monotonic(self) -> float:
        return self.now

    def wall(self) -> float:
        return self.now


class Samples:
    """Keeps the samples it is told."""

    def __init__(self) -> None:
        self.all: list[ServerSample] = []

    def server_sample(self, sample: ServerSample) -> None:
        self.all.append(sample)


def seen(active: int, waiting: int, memory: int) -> QueueSnapshot:
    model = ModelCard(
        key="tiny", source="", active=active, waiting=waiting, memory_bytes=memory
    )
    rest = ModelCard(key="unloaded", source="")
    return QueueSnapshot(
        running=True,
        waiting=waiting + 1,
        max_waiting=10,
        active=active,
        max_concurrency=8,
        models=(model, rest),
    )


def sampler_of(looks: list[QueueSnapshot], clock: Hands) -> tuple[Sampler, Samples]:
    samples: Any = Samples()
    sampler = Sampler(
        look=lambda: looks.pop(0),
        budget_bytes=lambda: 1000,
        observer=samples,
        identity=ServerIdentity("node", "boot"),
        clock=clock,
    )
    return sampler, samples


async def test_a_minute_is_told_when_the_next_begins_and_the_rest_at_the_end() -> None:
    clock = Hands()
    looks = [seen(1, 0, 100), seen(3, 2, 300), seen(2, 0, 200)]
    sampler, samples = sampler_of(looks, clock)
    sampler.look()
    clock.now += 1
    sampler.look()
    assert samples.all == []
    clock.now += 60
    sampler.look()
    await sampler.stop()
    first, last = samples.all
    assert (first.at, first.looks, first.waiting_sum, first.waiting_max) == (
        *(MINUTE, 2),
        *(4, 3),
    )
    assert (first.memory_bytes, first.budget_bytes) == (300, 1000)
    assert first.models == (
        ModelSample(
            model="tiny",
            running_sum=4,
            running_max=3,
            waiting_sum=2,
            waiting_max=2,
            memory_bytes=300,
        ),
    )
    assert (last.at, last.looks) == (MINUTE + 60, 1)


async def test_a_server_that_was_never_looked_at_says_nothing() -> None:
    sampler, samples = sampler_of([], Hands())
    await sampler.stop()
    assert samples.all == []


async def test_it_looks_by_itself_once_it_has_begun() -> None:
    sampler, samples = sampler_of([seen(1, 0, 100)], Hands())
    sampler.start()
    # The task's first step is its first look.
    await asyncio.sleep(0)
    await sampler.stop()
    assert samples.all[0].looks == 1


def sample(at: float, running: int, **changes: Any) -> ServerSample:
    model = ModelSample(
        model="tiny",
        running_sum=60 * running,
        running_max=running,
        memory_bytes=running,
    )
    values = {
        "at": at,
        "node": "node",
        "boot_id": "boot",
        "looks": 60,
        "budget_bytes": 1000,
        "models": (model,),
    }
    return ServerSample(**values | changes)


@pytest.mark.usefixtures("database")
def test_samples_are_added_up_by_hour_and_day(tmp_path: Path) -> None:
    with recording(tmp_path) as recorder:
        recorder.server_sample(sample(MINUTE, 2))
        recorder.server_sample(sample(MINUTE + 60, 4))
        assert recorder.flush()
        # The rest of a minute that was told in part.
        recorder.server_sample(sample(MINUTE + 60, 1, looks=5))
    minutes = Gauge.objects.filter(level=RollupLevel.MINUTE, model="tiny").order_by(
        "at"
    )
    assert [(row.looks, row.running_sum, row.running_max) for row in minutes] == [
        (60, 120, 2),
        (65, 300, 4),
    ]
    assert minutes[0].at == datetime.fromtimestamp(MINUTE, UTC)
    for level in (RollupLevel.HOUR, RollupLevel.DAY):
        whole = Gauge.objects.get(level=level, model="")
        assert (whole.looks, whole.budget_bytes) == (125, 1000)
        model = Gauge.objects.get(level=level, model="tiny")
        assert (model.running_sum, model.memory_bytes) == (420, 4)


@pytest.mark.usefixtures("database")
def test_a_sample_is_added_once_though_its_file_is_read_again(tmp_path: Path) -> None:
    from metrics.models import SpoolPosition
    from metrics.recorder.commits import Batch, commit
    from metrics.recorder.lines import encode_sample

    line = encode_sample(sample(MINUTE, 2)).rstrip(b"\n")
    batch = Batch((line,), "node-boot.jsonl", len(line) + 1)
    assert commit(batch) == 0
    assert SpoolPosition.of("node-boot.jsonl") == len(line) + 1
    assert commit(batch) == 0
    assert Gauge.objects.get(level=RollupLevel.DAY, model="tiny").looks == 60
