"""Whoever is sent away is told when a seat comes free, by what was measured."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from inference.runtime.app import install_app
from mlxsite.handlers import ApiHandler
from tests.api.cast import ASK, Client, House, Reply
from tests.runtime.cast import ENDLESS, Stage, serving, source
from tests.runtime.fake_worker import Conduct

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = pytest.mark.looptime

# Of the cast's worker: a second for the prompt, one for each token.
SEVEN_S = {"tokens": 6}


@pytest.fixture(autouse=True)
def _the_api(settings: Any) -> None:
    settings.ROOT_URLCONF = "inference.routing"
    settings.ALLOWED_HOSTS = ["testserver"]


@asynccontextmanager
async def open_server(
    *, size: int = 100, **config: Any
) -> AsyncIterator[tuple[Stage, Client]]:
    """Serve a model on fake workers by HTTP."""
    async with serving(source("tiny", size), **config) as stage:
        install_app(replace(House.build().app, service=stage.service))
        try:
            yield stage, Client(ApiHandler())  # type: ignore[arg-type]
        finally:
            install_app(None)


async def answered(stage: Stage, count: int) -> None:
    """Let so many requests of seven seconds be answered, one after the other."""
    for _ in range(count):
        assert (await stage.ask(**SEVEN_S).end())[0] == "finished"


async def refused(client: Client, code: str) -> tuple[Reply, int]:
    reply = await client.ask({**ASK, "model": "tiny"})
    assert reply.error["code"] == code
    return reply, int(reply.headers["retry-after"])


async def test_a_full_queue_says_when_the_next_seat_comes_free() -> None:
    async with open_server(max_concurrency=1, queue_size=0) as (stage, client):
        await answered(stage, 3)
        stage.ask(**SEVEN_S)
        await asyncio.sleep(0.5)
        reply, wait_s = await refused(client, "queue_full")
        assert reply.status == 429
        assert 6 <= wait_s <= 8


async def test_who_stands_further_back_is_told_to_come_later() -> None:
    async with open_server(max_concurrency=1, queue_size=2) as (stage, client):
        await answered(stage, 3)
        for _ in range(3):
            stage.ask(**SEVEN_S)
        await asyncio.sleep(0.5)
        _, wait_s = await refused(client, "queue_full")
        assert 18 <= wait_s <= 24


async def test_a_wait_that_was_too_long_is_told_like_a_full_queue() -> None:
    config = {"max_concurrency": 1, "queue_size": 5, "queue_timeout_s": 2.0}
    async with open_server(**config) as (stage, client):
        await answered(stage, 3)
        stage.ask(**SEVEN_S)
        await asyncio.sleep(0.5)
        reply, wait_s = await refused(client, "queue_timeout")
        assert reply.status == 503
        assert 6 <= wait_s <= 9


async def test_nobody_is_told_to_wait_longer_than_clients_do() -> None:
    async with open_server(max_concurrency=1, queue_size=0) as (stage, client):
        endless = stage.ask(tokens=ENDLESS)
        await asyncio.sleep(10)
        # None came free yet: it is assumed to take as long again.
        assert 9 <= (await refused(client, "queue_full"))[1] <= 11
        await asyncio.sleep(500)
        assert (await refused(client, "queue_full"))[1] == 60
        await endless.hang_up()


async def test_an_idle_night_does_not_make_the_seats_slow() -> None:
    async with open_server(max_concurrency=1, queue_size=0) as (stage, client):
        await answered(stage, 3)
        await asyncio.sleep(10_000)
        stage.ask(**SEVEN_S)
        await asyncio.sleep(0.5)
        assert 6 <= (await refused(client, "queue_full"))[1] <= 8


async def test_many_seats_come_free_sooner_than_one() -> None:
    async with open_server(max_concurrency=8, queue_size=0) as (stage, client):
        for _ in range(3):
            batch = [stage.ask(**SEVEN_S) for _ in range(8)]
            for request in batch:
                await request.end()
        for _ in range(8):
            stage.ask(**SEVEN_S)
        await asyncio.sleep(0.5)
        assert (await refused(client, "queue_full"))[1] <= 2


async def test_a_prompt_without_memory_is_told_when_others_end() -> None:
    # Three quarters of the machine, of which the model leaves 500.
    conduct = Conduct(kv_bytes=60)
    config = {"machine_bytes": 1000, "max_concurrency": 2, "conduct": conduct}
    async with open_server(size=250, **config) as (stage, client):
        for _ in range(3):
            assert (await stage.ask(tokens=39).end())[0] == "finished"
        stage.ask(tokens=39)
        await asyncio.sleep(0.5)
        reply, wait_s = await refused(client, "insufficient_memory")
        assert reply.status == 503
        # Forty seconds each, two seats.
        assert 18 <= wait_s <= 22
