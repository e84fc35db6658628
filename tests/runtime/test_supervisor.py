"""A model's worker is kept up: what happens when it dies, hangs or cannot load."""

from __future__ import annotations

import asyncio

import pytest

from inference.core.errors import InferenceError, ModelConflictError
from inference.core.outcomes import ModelState
from tests.runtime.cast import ENDLESS, serving
from tests.runtime.fake_worker import OUT_OF_MEMORY, Conduct

pytestmark = pytest.mark.looptime


async def test_a_loaded_model_is_ready_and_answers() -> None:
    async with serving("tiny") as stage:
        card = stage.card("tiny")
        assert (card.state, card.size_bytes, card.restarts) == ("ready", 100, 0)
        assert await stage.ask("tiny").end() == ("finished", "", "decode", 200)
        assert stage.notes.kinds("tiny") == ["model_load"]
        assert stage.notes.last("model_load").data["wall_s"] == pytest.approx(1.0)
        stage.assert_all_given_back()


async def test_a_card_says_how_far_a_load_is() -> None:
    async with serving(conduct=Conduct(load_s=10)) as stage:
        loading = asyncio.create_task(stage.load("tiny"))
        await asyncio.sleep(6)
        card = stage.card("tiny")
        assert (card.state, card.progress) == (ModelState.LOADING, 0.5)
        assert (await loading).state is ModelState.READY


async def test_a_worker_that_dies_is_replaced_and_who_waited_is_told() -> None:
    async with serving("tiny") as stage:
        asked = [stage.ask("tiny", tokens=ENDLESS) for _ in range(3)]
        await asyncio.sleep(5)
        stage.workers.of("tiny").die("killed by SIGKILL")
        for request in asked:
            assert await request.end() == ("failed", "worker_died", "decode", 503)
            assert "killed by SIGKILL" in (await request.row()).error
        assert await stage.ask("tiny").end() == ("finished", "", "decode", 200)
        kinds = ["model_load", "worker_died", "worker_restart"]
        assert stage.notes.kinds("tiny") == kinds
        assert stage.card("tiny").restarts == 1
        stage.assert_all_given_back()


async def test_a_death_is_told_with_its_reason_and_what_was_held() -> None:
    async with serving("tiny") as stage:
        worker = stage.workers.of("tiny")
        worker.beat(900, 50)
        await asyncio.sleep(10)
        worker.run_out_of_memory()
        await asyncio.sleep(0.1)
        told = stage.notes.last("worker_died")
        assert told.detail == OUT_OF_MEMORY
        assert told.data == {"held_bytes": 950, "deaths": 1, "up_s": 10.0}


async def test_the_pause_before_a_restart_grows_with_deaths_in_a_row() -> None:
    pauses = (0.0, 5.0, 60.0)
    async with serving("tiny", restart_backoff_s=pauses, quarantine_after=9) as stage:
        began = []
        for _ in range(4):
            stage.workers.of("tiny").die("killed by SIGKILL")
            died_at = asyncio.get_running_loop().time()
            await stage.ask("tiny", tokens=1).row()
            # Less what load, prefill and the one token take.
            began.append(asyncio.get_running_loop().time() - died_at - 3)
        assert began == pytest.approx([0, 5, 60, 60], abs=0.01)


async def test_a_worker_that_keeps_dying_brings_its_model_into_quarantine() -> None:
    async with serving("tiny", "other", quarantine_after=3) as stage:
        for _ in range(3):
            await stage.ask("tiny", tokens=1).row()
            stage.workers.of("tiny").die("killed by SIGKILL")
            await asyncio.sleep(0.01)
        card = stage.card("tiny")
        assert card.state is ModelState.QUARANTINED
        assert card.error == (
            "its worker died 3 times in a row, the last time: killed by SIGKILL"
        )
        assert stage.notes.last("model_quarantined").data == {"deaths": 3}
        assert (await stage.ask("tiny").row()).reason == "model_quarantined"
        assert (await stage.ask("other").row()).outcome == "finished"
        # Nothing is tried any more by itself.
        await asyncio.sleep(1000)
        assert stage.state("tiny") is ModelState.QUARANTINED


async def test_a_quarantine_ends_by_release_or_by_a_load() -> None:
    async with serving("tiny", "other", quarantine_after=1) as stage:
        for key in ("tiny", "other"):
            stage.workers.of(key).die("killed by SIGKILL")
        await asyncio.sleep(0.01)
        assert (await stage.service.release("tiny")).state is ModelState.READY
        assert (await stage.load("other")).state is ModelState.READY
        assert stage.notes.kinds("tiny")[-2:] == ["model_released", "model_load"]
        with pytest.raises(ModelConflictError):
            await stage.service.release("tiny")


async def test_time_in_good_health_forgets_earlier_deaths() -> None:
    async with serving("tiny", quarantine_after=2, healthy_after_s=60) as stage:
        for _ in range(3):
            await asyncio.sleep(61)
            stage.workers.of("tiny").die("killed by SIGKILL")
            await stage.ask("tiny").row()
        assert stage.notes.last("worker_died").data["deaths"] == 1
        # This one was not up for long.
        stage.workers.of("tiny").die("killed by SIGKILL")
        await asyncio.sleep(0.01)
        assert stage.state("tiny") is ModelState.QUARANTINED


async def test_a_worker_that_hangs_is_ended_and_replaced() -> None:
    async with serving("tiny", hang_timeout_s=120) as stage:
        asked, worker = stage.ask("tiny", tokens=ENDLESS), stage.workers.of("tiny")
        await asyncio.sleep(5)
        worker.hang()
        await asyncio.sleep(119)
        assert stage.workers.alive == [worker]
        assert (await asked.row()).reason == "worker_died"
        assert "it made no step for" in stage.notes.last("worker_died").detail
        assert (await stage.ask("tiny").row()).outcome == "finished"
        assert worker not in stage.workers.alive


async def test_a_worker_without_work_may_be_silent() -> None:
    async with serving("tiny", hang_timeout_s=120) as stage:
        stage.workers.of("tiny").hang()
        await asyncio.sleep(1000)
        assert stage.notes.kinds("tiny") == ["model_load"]


@pytest.mark.parametrize(
    ("conduct", "why"),
    [
        (Conduct(refuses="its shapes do not fit"), "its shapes do not fit"),
        (Conduct(dies_loading=OUT_OF_MEMORY), OUT_OF_MEMORY),
        (Conduct(load_s=2000), "it took longer than 1800 s"),
    ],
)
async def test_a_model_that_cannot_be_loaded_is_not_tried_again(
    conduct: Conduct, why: str
) -> None:
    async with serving("tiny") as stage:
        stage.workers.conduct = conduct
        with pytest.raises(InferenceError, match="cannot be loaded") as refusal:
            await stage.load("broken")
        assert why in refusal.value.message
        await asyncio.sleep(1000)
        assert stage.notes.kinds("broken") == ["model_load_failed"]
        assert stage.state("broken") is ModelState.FAILED
        assert len(stage.workers.alive) == 1
        # Nothing is left of it: the next load works.
        stage.workers.conduct = Conduct()
        assert (await stage.load("broken")).state is ModelState.READY


async def test_a_model_that_could_be_loaded_before_is_tried_again() -> None:
    async with serving("tiny", restart_backoff_s=(10.0,)) as stage:
        stage.workers.let("tiny", refuses="its disk is away")
        stage.workers.of("tiny").die("killed by SIGKILL")
        await asyncio.sleep(15)
        assert "reload failed: its disk is away" in stage.card("tiny").error
        stage.workers.let("tiny", refuses="")
        assert (await stage.ask("tiny").row()).outcome == "finished"


async def test_a_model_that_is_stopped_while_it_loads_leaves_no_worker() -> None:
    async with serving(conduct=Conduct(load_s=100)) as stage:
        loading = asyncio.create_task(stage.load("tiny"))
        await asyncio.sleep(50)
        await stage.service.unload("tiny", force=True)
        with pytest.raises(InferenceError, match="unloaded meanwhile"):
            await loading
        assert stage.state("tiny") is ModelState.UNLOADED
        assert not stage.workers.alive


async def test_a_model_that_is_stopped_between_death_and_restart_stays_down() -> None:
    async with serving("tiny", restart_backoff_s=(100.0,)) as stage:
        stage.workers.of("tiny").die("killed by SIGKILL")
        await asyncio.sleep(50)
        assert stage.state("tiny") is ModelState.RESTARTING
        await stage.service.unload("tiny")
        await asyncio.sleep(1000)
        assert stage.state("tiny") is ModelState.UNLOADED
        assert len(stage.workers.made) == 1
