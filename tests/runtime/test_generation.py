"""A request's way into a batch: wherever it ends, nothing it took is kept."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from inference.core.requests import ImagePart
from tests.runtime.cast import ENDLESS, Request, Stage, serving, source
from tests.runtime.fake_worker import OUT_OF_MEMORY, Conduct

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager

pytestmark = pytest.mark.looptime

FINISHED = ("finished", "", "decode", 200)
# Longer than a request stays in these tests, and not too long to wait for.
LONG_S = 200.0
ARRIVES_AT_S = 10.0


class SlowImages:
    """Takes its time to load images."""

    async def load(self, messages: Any) -> Any:
        await asyncio.sleep(LONG_S)
        return SimpleNamespace(messages=messages, images=(), fetch_s=LONG_S)

    async def close(self) -> None: ...


class Halt(NamedTuple):
    """A place where a request stays for long."""

    phase: str
    conduct: Conduct = Conduct()
    is_loaded: bool = True
    others: int = 0
    has_image: bool = False

    def stage(self, **config: Any) -> AbstractAsyncContextManager[Stage]:
        kind = "vlm" if self.has_image else "lm"
        model = source("tiny", kind=kind)
        images: Any = SlowImages()
        return serving(
            model, conduct=self.conduct, images=images, max_concurrency=1, **config
        )

    async def ask(self, stage: Stage) -> Request:
        """Return a request that has come to this place, and stays there."""
        if not self.is_loaded:
            await stage.service.unload("tiny")
            stage.workers.let("tiny", load_s=LONG_S)
        for _ in range(self.others):
            stage.ask("tiny", tokens=ENDLESS)
            await asyncio.sleep(0.5)
        parts = (ImagePart("data:,"),) if self.has_image else ()
        asked = stage.ask("tiny", *parts, tokens=ENDLESS)
        await asyncio.sleep(ARRIVES_AT_S)
        assert asked.phase == self.phase
        assert not asked.is_over
        return asked


HALTS = {
    "while its model loads": Halt("loading", is_loaded=False),
    "while its images are fetched": Halt("prepare", has_image=True),
    "while its prompt is prepared": Halt("prepare", Conduct(prepare_s=LONG_S)),
    # Who sits there leaves late, so that nobody gets the seat by its end.
    "while it waits for a seat": Halt("queued", Conduct(leave_s=LONG_S), others=1),
    "while its prompt is computed": Halt("prefill", Conduct(prefill_s=LONG_S)),
    "while it is answered": Halt("decode"),
}
in_each_phase = pytest.mark.parametrize("halt", HALTS.values(), ids=HALTS.keys())


async def settled(stage: Stage) -> None:
    """Let everything end that goes on, and see that nobody holds anything."""
    for request in stage.asked:
        await request.hang_up()
    await asyncio.sleep(2 * LONG_S)
    stage.assert_all_given_back()


@in_each_phase
async def test_a_client_that_leaves_gives_everything_back(halt: Halt) -> None:
    async with halt.stage() as stage:
        asked = await halt.ask(stage)
        end = await asked.hang_up()
        assert end == ("cancelled", "client_disconnected", halt.phase, 499)
        await settled(stage)


@in_each_phase
async def test_a_request_whose_time_is_over_gives_everything_back(halt: Halt) -> None:
    async with halt.stage(request_timeout_s=60) as stage:
        asked = await halt.ask(stage)
        end = await asked.end()
        assert end == ("timed_out", "request_timeout", halt.phase, 504)
        row = await asked.row()
        assert row.total_s == pytest.approx(60, abs=0.01)
        assert row.error == "The request took longer than 60 s."
        await asyncio.sleep(2 * LONG_S)
        stage.assert_all_given_back()


async def test_the_time_in_which_a_request_was_read_counts_too() -> None:
    async with serving("tiny", request_timeout_s=60) as stage:
        row = await stage.ask("tiny", tokens=ENDLESS, read_s=20).row()
        assert row.reason == "request_timeout"
        assert row.total_s == pytest.approx(60)


@in_each_phase
async def test_a_request_that_staff_cancel_gives_everything_back(halt: Halt) -> None:
    async with halt.stage() as stage:
        asked = await halt.ask(stage)
        assert stage.running.cancel(asked.trace.request_id, by="ann")
        stopped_at = asyncio.get_running_loop().time()
        end = await asked.end()
        assert end == ("cancelled", "cancelled_by_staff", halt.phase, 499)
        assert asyncio.get_running_loop().time() == stopped_at
        assert not stage.running.cancel(asked.trace.request_id, by="ann")
        await settled(stage)


@pytest.mark.parametrize(
    ("halt", "phase", "why"),
    [
        ("while its prompt is prepared", "prepare", OUT_OF_MEMORY),
        # It gets the seat of one that died, and finds that its prompt is gone.
        ("while it waits for a seat", "prefill", "has ended"),
        ("while its prompt is computed", "prefill", OUT_OF_MEMORY),
        ("while it is answered", "decode", OUT_OF_MEMORY),
    ],
)
async def test_a_request_whose_worker_dies_gives_everything_back(
    halt: str, phase: str, why: str
) -> None:
    async with HALTS[halt].stage() as stage:
        asked = await HALTS[halt].ask(stage)
        stage.workers.of("tiny").run_out_of_memory()
        end = await asked.end()
        assert end == ("failed", "worker_died", phase, 503)
        assert why in (await asked.row()).error
        await settled(stage)


async def test_a_request_that_needed_no_worker_yet_finds_the_next_one() -> None:
    halt = HALTS["while its images are fetched"]
    async with halt.stage() as stage:
        asked = await halt.ask(stage)
        stage.workers.of("tiny").run_out_of_memory()
        await asyncio.sleep(LONG_S)
        assert asked.phase == "decode"
        await settled(stage)


@pytest.mark.parametrize(
    ("halt", "reason", "words"),
    [
        ("while its images are fetched", "queue_timeout", "images were not there"),
        ("while its prompt is prepared", "queue_timeout", "could not be prepared"),
        ("while it waits for a seat", "queue_timeout", "No seat came free within 30 s"),
        ("while its model loads", "model_unavailable", "still loading after 30 s"),
    ],
)
async def test_a_request_that_does_not_begin_in_time_says_what_it_waited_for(
    halt: str, reason: str, words: str
) -> None:
    async with HALTS[halt].stage(queue_timeout_s=30) as stage:
        row = await (await HALTS[halt].ask(stage)).row()
        assert (row.http_status, row.reason) == (503, reason)
        assert words in row.error
        await settled(stage)


async def test_a_seat_comes_free_when_its_sequence_has_left_the_batch() -> None:
    conduct = Conduct(leave_s=20)
    async with serving("tiny", conduct=conduct, max_concurrency=1) as stage:
        first, second = stage.ask("tiny", tokens=ENDLESS), stage.ask("tiny")
        await asyncio.sleep(10)
        await first.hang_up()
        await asyncio.sleep(19)
        assert (stage.card("tiny").active, second.phase) == (1, "queued")
        assert await second.end() == FINISHED
        assert (await second.row()).queue_s == pytest.approx(30)


async def test_the_seats_of_several_choices_come_free_one_by_one() -> None:
    async with serving("tiny", max_concurrency=4) as stage:
        three = stage.ask("tiny", tokens=ENDLESS, n=3)
        pair = stage.ask("tiny", n=2)
        await asyncio.sleep(10)
        assert (stage.card("tiny").active, pair.phase) == (3, "queued")
        worker = stage.workers.of("tiny")
        worker.finish(next(iter(worker.sequences)))
        assert await pair.end() == FINISHED
        assert not three.is_over
        await three.hang_up()
        await asyncio.sleep(1)
        stage.assert_all_given_back()


async def test_requests_for_a_full_server_are_refused_before_any_work() -> None:
    async with serving("tiny", max_concurrency=1, queue_size=1) as stage:
        running, waiting = (stage.ask("tiny", tokens=20) for _ in range(2))
        await asyncio.sleep(5)
        row = await stage.ask("tiny").row()
        assert (row.http_status, row.reason) == (429, "queue_full")
        assert (row.phase, row.prepare_s) == ("received", None)
        assert await running.end() == await waiting.end() == FINISHED


async def test_who_waits_for_a_model_takes_a_place_too() -> None:
    async with serving("tiny", queue_size=1) as stage:
        await stage.service.unload("tiny")
        stage.workers.let("tiny", load_s=50)
        first = stage.ask("tiny")
        await asyncio.sleep(5)
        assert (await stage.ask("tiny").row()).reason == "queue_full"
        assert await first.end() == FINISHED


async def test_a_reader_too_slow_for_its_stream_is_given_up() -> None:
    async with serving("tiny") as stage:
        asked, worker = stage.ask("tiny", tokens=ENDLESS), stage.workers.of("tiny")
        await asyncio.sleep(5)
        worker.write("words that nobody has read yet " * 100)
        row = await asked.row()
        assert (row.outcome, row.reason) == ("cancelled", "client_too_slow")
        await asyncio.sleep(1)
        stage.assert_all_given_back()


async def test_a_model_in_use_is_neither_retired_nor_evicted() -> None:
    async with serving(
        source("tiny", 600), default_ttl_s=30, memory_budget_bytes=1000
    ) as stage:
        running = stage.ask("tiny", tokens=100)
        await asyncio.sleep(90)
        assert (stage.card("tiny").in_use, stage.state("tiny")) == (1, "ready")
        assert await running.end() == FINISHED
        assert stage.card("tiny").in_use == 0
