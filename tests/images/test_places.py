"""How many images are fetched at a time, and who waits for whom."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from inference.core.errors import (
    InvalidImageError,
    QueueTimeoutError,
)
from inference.core.limits import Limits
from tests.images.cast import (
    NAME,
    RoutedPolicy,
    Site,
    asked,
    loader,
    picture,
    serving,
    silent,
    site,
)

URL = f"http://{NAME}/a.png"
PNG = picture()


async def test_it_fetches_a_bounded_number_at_a_time() -> None:
    most = 0
    go_on = asyncio.Event()

    async def handle(site: Site, path: str, writer: asyncio.StreamWriter) -> None:
        nonlocal most
        most = max(most, it.open)
        if it.open == 3:
            go_on.set()
        await go_on.wait()
        await serving(PNG)(site, path, writer)

    bounds = Limits(image_fetches=3, image_fetches_per_request=2)
    async with site(handle) as it:
        loads = loader(RoutedPolicy(it.port), limits=bounds)
        one, other = await asyncio.gather(
            loads.load(asked(*[URL] * 5)), loads.load(asked(*[URL] * 5))
        )

    assert len(one.images) == len(other.images) == 5
    assert most == 3


async def test_one_request_does_not_take_all_places() -> None:
    bounds = Limits(image_fetches=3, image_fetches_per_request=2)
    async with site(_held(path="/held")) as it:
        loads = loader(RoutedPolicy(it.port), limits=bounds)
        greedy = asyncio.create_task(loads.load(asked(*[f"http://{NAME}/held"] * 9)))
        await it.until_open(2)
        loaded = await loads.load(asked(URL))
        assert it.open == 2
        greedy.cancel()

    assert loaded.images[0].data == PNG


def _held(*, path: str) -> Any:
    async def handle(site: Site, its: str, writer: asyncio.StreamWriter) -> None:
        await (silent if its == path else serving(PNG))(site, its, writer)

    return handle


async def test_who_finds_all_places_taken_is_told_to_come_back() -> None:
    async with site(silent) as it:
        bounds = Limits(image_fetches=1)
        fetching = loader(RoutedPolicy(it.port), timeout_s=30, limits=bounds)
        first = asyncio.create_task(fetching.load(asked(URL)))
        await it.until_open(1)
        second = loader(RoutedPolicy(it.port), timeout_s=0.2, limits=bounds)
        second._fetcher._places = fetching._fetcher._places
        with pytest.raises(QueueTimeoutError) as refused:
            await second.load(asked(URL))
        first.cancel()

    assert refused.value.http_status == 503
    assert refused.value.retry_after_s


async def test_a_request_that_is_given_up_closes_its_connections() -> None:
    async with site(silent) as it:
        loads = loader(RoutedPolicy(it.port), timeout_s=20)
        task = asyncio.create_task(loads.load(asked(URL, URL)))
        await it.until_open(2)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert loads._fetcher._places._value == Limits().image_fetches


async def test_one_refused_image_ends_the_fetches_of_the_others() -> None:
    async with site(_held(path="/held")) as it:
        loads = loader(RoutedPolicy(it.port), timeout_s=20)
        begun = time.monotonic()
        with pytest.raises(InvalidImageError) as refused:
            await loads.load(asked(f"http://{NAME}/held", "data:image/png;base64,QUJD"))

    assert refused.value.param == "messages[1].content[2]"
    assert time.monotonic() - begun < 20
