"""Counting a prompt's tokens: no seat is taken, and nothing is kept."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from inference.core.errors import ServerDrainingError, WorkerDiedError
from inference.core.requests import ChatMessage, ChatPrompt, Count, TextPart
from tests.runtime.cast import ENDLESS, Stage, serving
from tests.runtime.fake_worker import Conduct

if TYPE_CHECKING:
    from inference.core.trace import RequestTrace

pytestmark = pytest.mark.looptime

WORK = Count(prompt=ChatPrompt((ChatMessage("user", (TextPart("Hello"),)),)))


async def a_trace(stage: Stage) -> RequestTrace:
    """Return the trace of a request that has ended long ago."""
    asked = stage.ask("tiny", tokens=1)
    await asked.row()
    return asked.trace


async def test_it_is_counted_while_every_seat_is_taken_and_given_back() -> None:
    conduct = Conduct(prompt_tokens=21)
    async with serving("tiny", conduct=conduct, max_concurrency=1) as stage:
        trace = await a_trace(stage)
        busy = stage.ask("tiny", tokens=ENDLESS)
        await asyncio.sleep(10)
        assert (await stage.service.count(WORK, "tiny", trace)).tokens == 21
        await busy.hang_up()
        await asyncio.sleep(10)
        stage.assert_all_given_back()


async def test_a_model_that_is_not_loaded_is_loaded_for_it() -> None:
    async with serving("tiny") as stage:
        trace = await a_trace(stage)
        await stage.service.unload("tiny")
        assert (await stage.service.count(WORK, "tiny", trace)).tokens == 8
        stage.assert_all_given_back()


async def test_it_ends_with_its_worker_and_with_the_server() -> None:
    async with serving("tiny", conduct=Conduct(prepare_s=50)) as stage:
        trace = await a_trace(stage)
        counting = asyncio.create_task(stage.service.count(WORK, "tiny", trace))
        await asyncio.sleep(10)
        stage.workers.of("tiny").die("killed")
        with pytest.raises(WorkerDiedError):
            await counting
        stage.assert_all_given_back()
        await stage.service.drain(1.0, hurry=asyncio.Event())
        with pytest.raises(ServerDrainingError):
            await stage.service.count(WORK, "tiny", trace)
