"""Memory is given to who fits, after idle models made room, and to nobody else."""

from __future__ import annotations

import asyncio

import pytest

from inference.core.errors import InsufficientMemoryError
from inference.core.outcomes import ModelState
from tests.runtime.cast import ENDLESS, Stage, serving, source
from tests.runtime.fake_worker import Conduct

pytestmark = pytest.mark.looptime

# Two models of 400 fit, a third does not.
BUDGET = 1000
SIZE = 400


def states(stage: Stage, *keys: str) -> list[ModelState]:
    return [stage.state(key) for key in keys]


async def test_the_model_that_was_idle_longest_makes_room() -> None:
    models = [source(key, SIZE) for key in ("a", "b")]
    async with serving(*models, memory_budget_bytes=BUDGET) as stage:
        await stage.ask("a").row()
        await stage.load("c", SIZE)
        assert states(stage, "a", "b", "c") == ["ready", "unloaded", "ready"]
        told = stage.notes.last("model_evict")
        assert (told.model, told.detail) == ("b", "to make room for c")
        assert told.data["freed_bytes"] == SIZE
        # It comes back when it is asked, and then the others have been idle longer.
        assert (await stage.ask("b").row()).outcome == "finished"
        assert states(stage, "a", "b", "c") == ["unloaded", "ready", "ready"]


async def test_a_pinned_model_stays() -> None:
    models = [source("a", SIZE, pin=True), source("b", SIZE)]
    async with serving(*models, memory_budget_bytes=BUDGET) as stage:
        await stage.ask("b").row()
        await stage.load("c", SIZE)
        assert states(stage, "a", "b", "c") == ["ready", "unloaded", "ready"]
        stage.service.pin("c", True)
        with pytest.raises(InsufficientMemoryError) as refusal:
            await stage.load("b", SIZE)
        assert refusal.value.message.count("(pinned)") == 2
        stage.service.pin("a", False)
        await stage.load("b", SIZE)
        assert states(stage, "a", "b", "c") == ["unloaded", "ready", "ready"]


async def test_a_load_by_hand_is_refused_at_once_with_the_figures() -> None:
    async with serving(source("a", 600), memory_budget_bytes=BUDGET) as stage:
        busy = stage.ask("a", tokens=100)
        await asyncio.sleep(5)
        began = asyncio.get_running_loop().time()
        with pytest.raises(InsufficientMemoryError) as refusal:
            await stage.load("b", 600)
        assert asyncio.get_running_loop().time() == began
        # Its weights, and what its prompt was promised.
        assert refusal.value.figures == {
            "needed_bytes": 600,
            "free_bytes": BUDGET - 608,
            "total_bytes": BUDGET,
            "held_bytes": {"a": 608},
        }
        assert "`a` 0.0 MB (busy)" in refusal.value.message
        told = stage.notes.last("memory_refused")
        assert (told.model, told.data) == ("b", refusal.value.figures)
        assert (await busy.row()).outcome == "finished"


async def test_a_request_waits_for_busy_models_to_become_idle() -> None:
    async with serving(source("a", 600), memory_budget_bytes=BUDGET) as stage:
        busy = stage.ask("a", tokens=100)
        asked = await known_and_asked(stage)
        assert (await busy.row()).outcome == "finished"
        row = await asked.row()
        assert row.outcome == "finished"
        # The busy one's 101 s, and no longer than that; then the load.
        assert row.load_s == pytest.approx(102)
        assert states(stage, "a", "b") == ["unloaded", "ready"]


async def known_and_asked(stage: Stage):
    """Ask for a model that is known and does not fit now."""
    with pytest.raises(InsufficientMemoryError):
        await stage.load("b", 600)
    asked = stage.ask("b")
    await asyncio.sleep(10)
    assert asked.phase == "loading"
    return asked


async def test_a_request_is_refused_when_memory_does_not_come_free_in_time() -> None:
    async with serving(
        source("a", 600), memory_budget_bytes=BUDGET, queue_timeout_s=60
    ) as stage:
        busy = stage.ask("a", tokens=ENDLESS)
        row = await (await known_and_asked(stage)).row()
        assert (row.outcome, row.phase) == ("rejected", "loading")
        assert row.reason == "insufficient_memory"
        assert row.load_s == pytest.approx(57)
        assert row.refusal["held_bytes"].keys() == {"a"}
        assert not busy.is_over
        await busy.hang_up()


async def test_a_request_does_not_wait_for_what_can_never_fit() -> None:
    async with serving(
        source("a", SIZE, pin=True), memory_budget_bytes=BUDGET
    ) as stage:
        with pytest.raises(InsufficientMemoryError):
            await stage.load("b", BUDGET - SIZE + 1)
        row = await stage.ask("b").row()
        assert (row.reason, row.load_s) == ("insufficient_memory", 0)


async def test_nothing_is_evicted_where_that_would_not_be_enough() -> None:
    models = [source("a", 300), source("b", 300)]
    async with serving(*models, memory_budget_bytes=BUDGET) as stage:
        busy = stage.ask("a", tokens=ENDLESS)
        await asyncio.sleep(5)
        with pytest.raises(InsufficientMemoryError):
            await stage.load("c", 800)
        with pytest.raises(InsufficientMemoryError):
            await stage.load("d", BUDGET + 1)
        assert states(stage, "a", "b") == ["ready", "ready"]
        await busy.hang_up()


async def test_what_a_model_is_measured_to_hold_counts_more_than_its_files() -> None:
    async with serving(source("a", SIZE), memory_budget_bytes=BUDGET) as stage:
        worker = stage.workers.of("a")
        worker.beat(900)
        busy = stage.ask("a", tokens=ENDLESS)
        await asyncio.sleep(5)
        with pytest.raises(InsufficientMemoryError):
            await stage.load("b", SIZE)
        worker.beat(500)
        await stage.load("b", SIZE)
        await busy.hang_up()


async def test_pooled_buffers_are_given_back_before_a_model_is_evicted() -> None:
    async with serving(source("a", SIZE), memory_budget_bytes=BUDGET) as stage:
        worker = stage.workers.of("a")
        worker.beat(SIZE, cache_bytes=500)
        await stage.load("b", SIZE)
        assert worker.purges == 1
        assert states(stage, "a", "b") == ["ready", "ready"]


async def test_a_model_about_to_be_used_is_not_evicted_while_it_loads() -> None:
    async with serving(conduct=Conduct(load_s=10), memory_budget_bytes=BUDGET) as stage:
        first = asyncio.create_task(stage.load("a", 600))
        await asyncio.sleep(5)
        with pytest.raises(InsufficientMemoryError, match=r"`a` .* \(busy\)"):
            await stage.load("b", 600)
        assert (await first).state is ModelState.READY


async def test_a_prompt_that_does_not_fit_is_refused_and_gives_all_back() -> None:
    conduct = Conduct(prompt_tokens=100, kv_bytes=10)
    async with serving(
        source("a", SIZE), conduct=conduct, memory_budget_bytes=BUDGET
    ) as stage:
        row = await stage.ask("a").row()
        assert (row.outcome, row.reason) == ("rejected", "insufficient_memory")
        assert row.refusal["needed_bytes"] == 1000
        assert row.refusal["held_bytes"] == {"a": SIZE}
        assert (await stage.load("b", SIZE)).state is ModelState.READY
        stage.assert_all_given_back()


async def test_an_idle_model_makes_room_for_a_prompt() -> None:
    conduct = Conduct(prompt_tokens=50, kv_bytes=10)
    models = [source("a", SIZE), source("b", SIZE)]
    async with serving(*models, conduct=conduct, memory_budget_bytes=BUDGET) as stage:
        assert (await stage.ask("b").row()).outcome == "finished"
        assert states(stage, "a", "b") == ["unloaded", "ready"]
        assert stage.notes.last("model_evict").detail == (
            "to make room for a prompt to b"
        )


async def test_what_one_prompt_was_promised_counts_against_the_next() -> None:
    conduct = Conduct(prompt_tokens=40, kv_bytes=10)
    async with serving(
        source("a", SIZE), conduct=conduct, memory_budget_bytes=BUDGET
    ) as stage:
        first = stage.ask("a", tokens=50)
        await asyncio.sleep(5)
        assert (await stage.ask("a").row()).reason == "insufficient_memory"
        assert (await first.row()).outcome == "finished"
        assert (await stage.ask("a").row()).outcome == "finished"
        stage.assert_all_given_back()
