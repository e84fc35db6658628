"""A request's story: two records, true times, one end."""

from __future__ import annotations

import pytest

from inference.core.errors import QueueFullError
from inference.core.events import RequestRecord, ServerEvent
from inference.core.outcomes import Outcome, Phase
from inference.core.requests import Delta, Usage
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

    def request_started(self, record: RequestRecord) -> None:
        self.started.append(record)

    def request_finished(self, record: RequestRecord) -> None:
        self.finished.append(record)

    def server_event(self, event: ServerEvent) -> None:
        raise AssertionError(event)


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


def test_it_measures_each_phase(
    trace: RequestTrace, clock: StoppedClock, ledger: Ledger
) -> None:
    for phase, seconds in (
        (Phase.PREPARE, 0.5),
        (Phase.QUEUED, 2.0),
        (Phase.PREFILL, 1.0),
    ):
        trace.enter(phase)
        clock.now += seconds
    trace.admitted()
    trace.arrived(Delta(text="one "), 1)
    clock.now += 3.0
    usage = Usage(prompt_tokens=7, completion_tokens=4)
    trace.arrived(Delta(text="two", finish_reason="stop", usage=usage), 3)
    trace.finish()
    trace.close()
    (row,) = ledger.finished
    assert row.outcome is Outcome.FINISHED
    assert (row.prepare_s, row.queue_s, row.prefill_s) == (0.5, 2.0, 1.0)
    assert (row.ttft_s, row.decode_s, row.total_s) == (3.5, 3.0, 6.5)
    assert row.itl_mean_s == 1.0
    assert row.decode_tps == 1.0
    # The whole speed leaves the queue out.
    assert row.tps == pytest.approx(4 / 4.5)
    assert (row.words, row.characters, row.finish_reason) == (2, 7, "stop")


def test_it_counts_a_word_that_arrives_in_pieces_once(
    trace: RequestTrace, ledger: Ledger
) -> None:
    for piece in ("hel", "lo wor", "ld", "", " again "):
        trace.arrived(Delta(text=piece), 1)
    trace.close()
    assert ledger.finished[0].words == 3


def test_it_ends_only_once(trace: RequestTrace, ledger: Ledger) -> None:
    trace.enter(Phase.QUEUED)
    trace.fail(QueueFullError("full"))
    trace.cancel()
    trace.finish()
    trace.close()
    trace.close()
    (row,) = ledger.finished
    assert (row.outcome, row.reason, row.http_status) == (
        Outcome.REJECTED,
        "queue_full",
        429,
    )
    assert row.phase is Phase.QUEUED


def test_it_calls_a_story_without_an_end_cancelled(
    trace: RequestTrace, ledger: Ledger
) -> None:
    trace.enter(Phase.PREFILL)
    trace.close()
    (row,) = ledger.finished
    assert (row.outcome, row.phase, row.http_status) == (
        Outcome.CANCELLED,
        Phase.PREFILL,
        499,
    )


def test_it_leaves_no_record_of_a_request_that_was_never_opened(
    clock: StoppedClock, ledger: Ledger, trace: RequestTrace
) -> None:
    silent = RequestTrace(record=trace.record, observer=ledger, clock=clock)
    silent.finish()
    silent.close()
    assert ledger.finished == []
