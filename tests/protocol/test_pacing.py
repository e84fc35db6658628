"""Silences of a stream are told, and its source is always closed."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING

import pytest

from inference.protocol.pacing import with_silences

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

PATIENCE_S = 5.0
NEVER_S = 1000.0


class Source:
    """Yields its items; `None` among them waits for `gate`."""

    def __init__(self, *items: int | Exception | None) -> None:
        self.items = items
        self.gate = asyncio.Event()
        self.waiting = asyncio.Event()
        self.closed = asyncio.Event()
        self.tasks: set[object] = set()

    async def read(self) -> AsyncGenerator[int, None]:
        try:
            for item in self.items:
                self.tasks.add(asyncio.current_task())
                if item is None:
                    self.waiting.set()
                    await self.gate.wait()
                elif isinstance(item, Exception):
                    raise item
                else:
                    yield item
        finally:
            self.tasks.add(asyncio.current_task())
            self.closed.set()


async def test_it_passes_items_on_in_order_from_one_task() -> None:
    source = Source(1, 2, 3)
    items = [item async for item in with_silences(source.read(), after_s=NEVER_S)]
    assert items == [1, 2, 3]
    assert source.closed.is_set()
    assert len(source.tasks) == 1


async def test_it_tells_every_silence() -> None:
    source = Source(1, None, 2)
    heard = []
    async with aclosing(with_silences(source.read(), after_s=0.01)) as paced:
        async for item in paced:
            heard.append(item)
            if heard.count(None) == 3:
                source.gate.set()
    assert heard[0] == 1
    assert heard[-1] == 2
    assert heard.count(None) >= 3


async def test_it_raises_the_sources_error_after_its_items() -> None:
    source = Source(1, ValueError("broken"))
    paced = with_silences(source.read(), after_s=NEVER_S)
    assert await anext(paced) == 1
    with pytest.raises(ValueError, match="broken"):
        await anext(paced)
    assert source.closed.is_set()


async def test_it_closes_a_waiting_source_when_it_is_closed() -> None:
    source = Source(1, None)
    paced = with_silences(source.read(), after_s=NEVER_S)
    assert await anext(paced) == 1
    await asyncio.wait_for(source.waiting.wait(), PATIENCE_S)
    await paced.aclose()
    assert source.closed.is_set()


async def test_it_closes_a_source_that_is_ahead_of_its_reader() -> None:
    source = Source(1, 2, 3, 4)
    paced = with_silences(source.read(), after_s=NEVER_S)
    assert await anext(paced) == 1
    for _ in range(5):
        await asyncio.sleep(0)
    await paced.aclose()
    assert source.closed.is_set()


async def test_it_closes_the_source_when_its_reader_is_cancelled() -> None:
    source = Source(None)

    async def read_all() -> None:
        async for _ in with_silences(source.read(), after_s=NEVER_S):
            pass

    reader = asyncio.create_task(read_all())
    await asyncio.wait_for(source.waiting.wait(), PATIENCE_S)
    reader.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reader
    assert source.closed.is_set()


async def test_it_reads_no_further_ahead_than_two_items() -> None:
    source = Source(1, 2, 3, 4, None)
    paced = with_silences(source.read(), after_s=NEVER_S)
    assert await anext(paced) == 1
    for _ in range(10):
        await asyncio.sleep(0)
    assert not source.waiting.is_set()
    await paced.aclose()


async def test_it_ends_with_a_source_that_cancels_itself() -> None:
    async def cancels_itself() -> AsyncGenerator[int, None]:
        yield 1
        raise asyncio.CancelledError

    async def read_all() -> None:
        async for _ in with_silences(cancels_itself(), after_s=0.01):
            pass

    reader = asyncio.create_task(read_all())
    done, _ = await asyncio.wait((reader,), timeout=PATIENCE_S)
    assert done
    assert reader.cancelled()
