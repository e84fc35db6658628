"""A request is ended from outside, whatever it does at that moment."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from inference.core.errors import CancelledByStaffError, QueueTimeoutError
from inference.core.outcomes import Outcome, Phase
from inference.core.stopping import Stopper

if TYPE_CHECKING:
    from inference.core.trace import RequestTrace
    from tests.core.conftest import Ledger, StoppedClock

ERROR = CancelledByStaffError()


async def test_it_wakes_whoever_waits_with_the_error() -> None:
    stopper, left = Stopper(), []

    async def wait() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            left.append("tidy")

    waiting = asyncio.create_task(stopper.step(wait()))
    await asyncio.sleep(0)
    stopper.stop(ERROR)
    with pytest.raises(CancelledByStaffError):
        await waiting
    assert left == ["tidy"]


async def test_it_begins_no_further_step() -> None:
    stopper, begun = Stopper(), []

    async def work() -> None:
        begun.append("work")

    stopper.stop(ERROR)
    with pytest.raises(CancelledByStaffError):
        await stopper.step(work())
    assert begun == []


async def test_it_leaves_a_steps_own_end_and_own_timeouts_alone() -> None:
    stopper = Stopper()

    async def too_late() -> None:
        try:
            async with asyncio.timeout(0):
                await asyncio.Event().wait()
        except TimeoutError:
            raise QueueTimeoutError("late") from None

    assert await stopper.step(asyncio.sleep(0, "done")) == "done"
    with pytest.raises(QueueTimeoutError):
        await stopper.step(too_late())


async def test_it_tells_what_runs_at_present_and_nothing_that_has_ended() -> None:
    stopper, told = Stopper(), []
    with stopper.by(lambda error: told.append(("first", error))):
        pass
    with stopper.by(lambda error: told.append(("second", error))):
        stopper.stop(ERROR)
        stopper.stop(QueueTimeoutError("later"))
    assert told == [("second", ERROR)]


async def test_a_client_that_leaves_at_the_same_moment_is_still_a_client_that_left() -> (
    None
):
    stopper = Stopper()
    waiting = asyncio.create_task(stopper.step(asyncio.sleep(60)))
    await asyncio.sleep(0)
    waiting.cancel()
    stopper.stop(ERROR)
    with pytest.raises(asyncio.CancelledError):
        await waiting


def test_a_trace_that_is_stopped_is_recorded_at_once_and_once(
    trace: RequestTrace, clock: StoppedClock, ledger: Ledger
) -> None:
    trace.enter(Phase.QUEUED)
    clock.now += 2
    assert trace.stop(ERROR)
    (record,) = ledger.finished
    assert (record.outcome, record.reason) == (Outcome.CANCELLED, "cancelled_by_staff")
    assert (record.queue_s, record.http_status) == (2.0, 499)
    clock.now += 5
    trace.fail(ERROR)
    trace.close()
    assert not trace.stop(ERROR)
    assert ledger.finished == [record]


def test_an_answer_that_was_stopped_at_its_very_end_does_not_count_as_finished(
    trace: RequestTrace, ledger: Ledger
) -> None:
    trace.stop(ERROR)
    with pytest.raises(CancelledByStaffError):
        trace.finish()
    assert ledger.finished[0].outcome is Outcome.CANCELLED


def test_an_answer_that_has_ended_is_not_stopped(
    trace: RequestTrace, ledger: Ledger
) -> None:
    trace.finish()
    assert not trace.stop(ERROR)
    trace.close()
    assert ledger.finished[0].outcome is Outcome.FINISHED
