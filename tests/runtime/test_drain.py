"""The end of a server: who waits is refused, who runs may end, and all is let go."""

from __future__ import annotations

import asyncio

import pytest

from inference.core.errors import ServerDrainingError
from tests.runtime.cast import ENDLESS, Request, Stage, serving
from tests.runtime.fake_worker import Conduct

pytestmark = pytest.mark.looptime

FINISHED = ("finished", "", "decode", 200)
INTERRUPTED = ("interrupted", "shutdown", "decode", 503)


def drain(
    stage: Stage, timeout_s: float, hurry: asyncio.Event | None = None
) -> asyncio.Task[None]:
    hurry = hurry or asyncio.Event()
    return asyncio.create_task(stage.service.drain(timeout_s, hurry=hurry))


async def assert_refused(request: Request, phase: str) -> None:
    assert await request.end() == ("rejected", "shutting_down", phase, 503)


async def test_what_runs_may_end_within_the_time() -> None:
    async with serving("tiny") as stage:
        running = stage.ask("tiny", tokens=100)
        await asyncio.sleep(10)
        draining = drain(stage, 200)
        assert await running.end() == FINISHED
        await draining
        # No longer than it takes.
        assert asyncio.get_running_loop().time() < 110
        stage.assert_all_given_back()


async def test_what_outlasts_the_time_is_ended_with_a_word() -> None:
    async with serving("tiny") as stage:
        running = [stage.ask("tiny", tokens=ENDLESS) for _ in range(3)]
        await asyncio.sleep(10)
        await drain(stage, 60)
        assert [await request.end() for request in running] == [INTERRUPTED] * 3
        assert (await running[0].row()).completion_tokens == 69
        stage.assert_all_given_back()


async def test_a_second_signal_ends_what_runs_at_once() -> None:
    async with serving("tiny") as stage:
        running, hurry = stage.ask("tiny", tokens=ENDLESS), asyncio.Event()
        await asyncio.sleep(10)
        draining = drain(stage, 600, hurry)
        await asyncio.sleep(5)
        assert not running.is_over
        hurry.set()
        await draining
        assert await running.end() == INTERRUPTED
        assert asyncio.get_running_loop().time() < 20


async def test_what_waits_for_a_seat_is_refused() -> None:
    async with serving("tiny", max_concurrency=1) as stage:
        running, waiting = stage.ask("tiny", tokens=50), stage.ask("tiny")
        await asyncio.sleep(10)
        draining = drain(stage, 100)
        await assert_refused(waiting, "queued")
        assert await running.end() == FINISHED
        await draining


async def test_what_waits_for_its_model_is_refused_and_so_is_the_load() -> None:
    async with serving("tiny") as stage:
        await stage.service.unload("tiny")
        stage.workers.let("tiny", load_s=100)
        waiting = stage.ask("tiny")
        await asyncio.sleep(1)
        loading = asyncio.create_task(stage.load("other"))
        await asyncio.sleep(0.1)
        await drain(stage, 10)
        await assert_refused(waiting, "loading")
        with pytest.raises(ServerDrainingError):
            await loading


async def test_what_waits_for_a_restart_is_refused() -> None:
    async with serving("tiny", restart_backoff_s=(100.0,)) as stage:
        stage.workers.of("tiny").die("killed by SIGKILL")
        await asyncio.sleep(1)
        waiting = stage.ask("tiny")
        await asyncio.sleep(1)
        await drain(stage, 10)
        await assert_refused(waiting, "loading")


async def test_what_comes_later_is_refused() -> None:
    async with serving("tiny") as stage:
        running = stage.ask("tiny", tokens=50)
        await asyncio.sleep(10)
        draining = drain(stage, 100)
        await asyncio.sleep(1)
        await assert_refused(stage.ask("tiny"), "received")
        assert not stage.service.is_ready
        await draining
        assert await running.end() == FINISHED


async def test_what_is_prepared_when_the_end_begins_gets_no_seat() -> None:
    async with serving("tiny", conduct=Conduct(prepare_s=20)) as stage:
        preparing = stage.ask("tiny")
        await asyncio.sleep(10)
        await drain(stage, 100)
        await assert_refused(preparing, "queued")
        stage.assert_all_given_back()


async def test_a_client_that_reads_on_does_not_hold_the_end_up() -> None:
    async with serving("tiny", conduct=Conduct(leave_s=1000)) as stage:
        running = stage.ask("tiny", tokens=ENDLESS)
        await asyncio.sleep(10)
        await drain(stage, 60)
        assert await running.end() == INTERRUPTED
        # Its sequence is in the batch still; the worker is ended all the same.
        assert stage.workers.of("tiny").sequences
