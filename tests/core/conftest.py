"""A trace, the clock it reads and the ledger it writes to."""

from __future__ import annotations

import pytest

from inference.core.events import (
    RequestBodies,
    RequestRecord,
    ServerEvent,
    ServerSample,
)
from inference.core.trace import RequestTrace


class StoppedClock:
    """Moves only when told to."""

    now = 1000.0

    def monotonic(self) -> float:
        return self.now

    def wall(self) -> float:
        return self.now


class Ledger:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.started: list[RequestRecord] = []
        self.finished: list[RequestRecord] = []
        self.bodies: list[RequestBodies] = []

    def request_started(self, record: RequestRecord) -> None:
        self.started.append(record)

    def request_finished(self, record: RequestRecord) -> None:
        self.finished.append(record)

    def server_event(self, event: ServerEvent) -> None:
        raise AssertionError(event)

    def server_sample(self, sample: ServerSample) -> None:
        raise AssertionError(sample)

    def request_bodies(self, bodies: RequestBodies) -> None:
        self.bodies.append(bodies)


@pytest.fixture
def clock() -> StoppedClock:
    return StoppedClock()


@pytest.fixture
def ledger() -> Ledger:
    return Ledger()


@pytest.fixture
def trace(clock: StoppedClock, ledger: Ledger) -> RequestTrace:
    record = RequestRecord(
        request_id="req-1",
        node="n",
        boot_id="b",
        started_at=clock.wall(),
        endpoint="/v1/chat/completions",
    )
    trace = RequestTrace(record=record, observer=ledger, clock=clock)
    trace.open()
    return trace
