"""Models come into memory once, leave when nobody needs them, and keep their keys."""

from __future__ import annotations

import asyncio

import pytest

from inference.core.errors import ModelConflictError
from inference.core.outcomes import ModelState, Phase
from tests.runtime.cast import ENDLESS, serving, source
from tests.runtime.fake_worker import Conduct

pytestmark = pytest.mark.looptime

FINISHED = ("finished", "", "decode", 200)


async def test_a_model_is_loaded_once_whoever_asks_for_it() -> None:
    async with serving() as stage:
        loads = [asyncio.create_task(stage.load("tiny")) for _ in range(2)]
        await asyncio.sleep(0.5)
        asked = [stage.ask("tiny") for _ in range(3)]
        assert {(await load).state for load in loads} == {ModelState.READY}
        assert [await request.end() for request in asked] == [FINISHED] * 3
        assert len(stage.workers.made) == 1
        assert stage.notes.kinds("tiny") == ["model_load"]


async def test_who_leaves_during_a_load_does_not_take_it_along() -> None:
    async with serving(conduct=Conduct(load_s=10)) as stage:
        first = asyncio.create_task(stage.load("tiny"))
        await asyncio.sleep(1)
        second = asyncio.create_task(stage.load("tiny"))
        await asyncio.sleep(1)
        first.cancel()
        assert (await second).state is ModelState.READY
        assert len(stage.workers.made) == 1


async def test_a_model_that_is_not_in_memory_comes_back_when_it_is_asked() -> None:
    async with serving("tiny") as stage:
        await stage.service.unload("tiny")
        row = await stage.ask("tiny").row()
        assert row.outcome == "finished"
        assert row.load_s == pytest.approx(1.0)


async def test_a_model_stays_out_of_memory_where_nothing_loads_on_demand() -> None:
    async with serving("tiny", allow_on_demand=False) as stage:
        await stage.service.unload("tiny")
        row = await stage.ask("tiny").row()
        assert (row.reason, row.http_status) == ("model_unavailable", 503)
        assert "is not loaded" in row.error
        await stage.load("tiny")
        assert await stage.ask("tiny").end() == FINISHED


async def test_a_model_that_does_not_come_in_time_is_not_waited_for() -> None:
    async with serving("tiny", queue_timeout_s=20) as stage:
        await stage.service.unload("tiny")
        stage.workers.let("tiny", load_s=50)
        row = await stage.ask("tiny").row()
        assert (row.reason, row.phase) == ("model_unavailable", Phase.LOADING)
        assert row.load_s == pytest.approx(20)
        assert "still loading after 20 s" in row.error
        # The load goes on: others may wait for it.
        await asyncio.sleep(40)
        assert stage.state("tiny") is ModelState.READY


async def test_a_loaded_model_is_not_loaded_again() -> None:
    async with serving("tiny") as stage:
        with pytest.raises(ModelConflictError, match="is loaded already") as refusal:
            await stage.load("tiny")
        assert refusal.value.code == "model_already_loaded"


@pytest.mark.parametrize("while_it_loads", [True, False])
async def test_a_key_is_not_taken_from_another_model(while_it_loads: bool) -> None:
    async with serving() as stage:
        loading = asyncio.create_task(stage.load("tiny"))
        await asyncio.sleep(0.5 if while_it_loads else 5)
        with pytest.raises(ModelConflictError) as refusal:
            await stage.service.load(source("tiny", path="/another"))
        assert refusal.value.code == "model_key_in_use"
        assert (await loading).state is ModelState.READY


async def test_a_key_may_be_given_to_another_model_after_an_unload() -> None:
    async with serving("tiny") as stage:
        await stage.service.unload("tiny")
        card = await stage.service.load(source("tiny", path="/another"))
        assert card.source == "/another"


async def test_an_unload_waits_for_what_runs_and_lets_nobody_new_in() -> None:
    async with serving("tiny") as stage:
        running = stage.ask("tiny", tokens=100)
        await asyncio.sleep(10)
        unloading = asyncio.create_task(stage.service.unload("tiny"))
        await asyncio.sleep(10)
        late = stage.ask("tiny")
        await asyncio.sleep(10)
        assert stage.state("tiny") is ModelState.STOPPING
        assert late.phase == Phase.LOADING
        assert await running.end() == FINISHED
        assert (await unloading).state is ModelState.UNLOADED
        # Who came meanwhile has it loaded again.
        assert await late.end() == FINISHED
        assert len(stage.workers.made) == 2
        stage.assert_all_given_back()


async def test_an_unload_tells_what_came_free() -> None:
    async with serving("tiny", conduct=Conduct(stop_s=2)) as stage:
        stage.workers.of("tiny").beat(700, 50)
        await stage.service.unload("tiny")
        told = stage.notes.last("model_unload").data
        assert told == {"freed_bytes": 750, "unload_s": pytest.approx(2)}
        with pytest.raises(ModelConflictError) as refusal:
            await stage.service.unload("tiny")
        assert refusal.value.code == "model_not_loaded"


async def test_an_unload_by_force_ends_what_runs_and_what_waits_with_a_word() -> None:
    async with serving("tiny", max_concurrency=1) as stage:
        running, waiting = (stage.ask("tiny", tokens=ENDLESS) for _ in range(2))
        await asyncio.sleep(10)
        card = await stage.service.unload("tiny", force=True)
        assert card.state is ModelState.UNLOADED
        why = ("interrupted", "model_unloaded")
        assert await running.end() == (*why, "decode", 503)
        assert await waiting.end() == (*why, "queued", 503)
        assert stage.notes.last("model_unload").detail == "by force"
        stage.assert_all_given_back()


async def test_a_model_that_nobody_uses_is_unloaded_after_its_time() -> None:
    async with serving("tiny", source("kept", ttl_s=0), default_ttl_s=60) as stage:
        for _ in range(3):
            await asyncio.sleep(50)
            assert await stage.ask("tiny").end() == FINISHED
        running = stage.ask("tiny", tokens=200)
        assert await running.end() == FINISHED
        await asyncio.sleep(59)
        assert stage.state("tiny") is ModelState.READY
        await asyncio.sleep(2)
        assert stage.state("tiny") is ModelState.UNLOADED
        assert stage.notes.last("model_unload").detail == "unused for 60 s"
        assert stage.state("kept") is ModelState.READY


async def test_a_model_whose_worker_was_just_replaced_is_not_unloaded_at_once() -> None:
    async with serving("tiny", default_ttl_s=60) as stage:
        await asyncio.sleep(50)
        stage.workers.of("tiny").die("killed by SIGKILL")
        await asyncio.sleep(40)
        assert stage.state("tiny") is ModelState.READY
        await asyncio.sleep(60)
        assert stage.state("tiny") is ModelState.UNLOADED


async def test_a_model_that_could_not_go_at_its_time_goes_later() -> None:
    models = [source("pinned", pin=True), source("dying")]
    async with serving(*models, default_ttl_s=60, restart_backoff_s=(100.0,)) as stage:
        await asyncio.sleep(30)
        stage.workers.of("dying").die("killed by SIGKILL")
        await asyncio.sleep(90)
        assert stage.state("dying") is ModelState.RESTARTING
        assert stage.state("pinned") is ModelState.READY
        stage.service.pin("pinned", False)
        await asyncio.sleep(150)
        assert stage.state("dying") is ModelState.UNLOADED
        assert stage.state("pinned") is ModelState.UNLOADED


async def test_the_models_of_the_start_are_loaded_one_after_the_other() -> None:
    async with serving(conduct=Conduct(load_s=10)) as stage:
        stage.workers.let("broken", refuses="its shapes do not fit")
        keys = ["first", "broken", "last"]
        stage.service.begin([source(key) for key in keys])
        await asyncio.sleep(5)
        ready = [stage.service.is_ready]
        states = [stage.state(key) for key in keys]
        assert states == ["loading", "unloaded", "unloaded"]
        # Who names no model gets the first.
        early = stage.ask(None)
        assert (await stage.service.wait_loaded("last")).state is ModelState.READY
        assert [*ready, stage.service.is_ready] == [False, True]
        assert [stage.state(key) for key in keys] == ["ready", "failed", "ready"]
        assert (await early.row()).model == "first"


async def test_a_spare_worker_is_there_before_the_next_load() -> None:
    conduct = Conduct(start_s=3, load_s=1)
    async with serving("tiny", conduct=conduct, has_spare_worker=True) as stage:
        await asyncio.sleep(5)
        assert len(stage.workers.alive) == 2
        began = asyncio.get_running_loop().time()
        await stage.load("other")
        assert asyncio.get_running_loop().time() - began == pytest.approx(1)


async def test_a_spare_worker_that_died_is_not_given_to_a_model() -> None:
    async with serving("tiny", has_spare_worker=True) as stage:
        await asyncio.sleep(1)
        stage.workers.made[-1].die("killed by SIGKILL")
        assert (await stage.load("other")).state is ModelState.READY
        assert stage.notes.kinds("other") == ["model_load"]
