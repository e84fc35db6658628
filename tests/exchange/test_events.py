"""The grammar of streams: silences, ends and errors, and who is let go of when."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, aclosing
from typing import TYPE_CHECKING, Any

import pytest

from inference.core.errors import (
    GenerationError,
    InferenceError,
    QueueFullError,
    StoreUnavailableError,
)
from inference.exchange.events import stream_events
from inference.protocol.sse import COMMENT, Event

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence

    from inference.core.trace import RequestTrace

PATIENCE_S = 60.0
NEVER_S = 1000.0


class Writer:
    """Writes items as they are; 0 is not worth an event."""

    def keep_alive(self) -> bytes:
        return COMMENT

    def events(self, item: int) -> list[Event]:
        return [Event(b"%d" % item)] if item else []

    def ending(self) -> Sequence[Event]:
        return (Event(b"end"),)

    def failed(self, error: InferenceError) -> Sequence[Event]:
        return (Event(error.code.encode()),)


class Keeping(Writer):
    """Keeps what it is told last; the first time, it may not be able to."""

    def __init__(self, trace: RequestTrace, *failures: Exception) -> None:
        self._trace = trace
        self._failures = list(failures)
        self._last = "cut off"
        self.kept: list[tuple[str, bool]] = []

    def ending(self) -> Sequence[Event]:
        self._last = "ended"
        return super().ending()

    def failed(self, error: InferenceError) -> Sequence[Event]:
        self._last = "failed"
        return super().failed(error)

    async def keep(self) -> None:
        await asyncio.sleep(0)
        if self._failures:
            raise self._failures.pop()
        self.kept.append((self._last, self._trace.is_closed))


class Scripted:
    """Hands out its items; an event among them is waited for, an error raised."""

    def __init__(self, *items: int | Exception | asyncio.Event) -> None:
        self._items = list(items)
        self.waiting = asyncio.Event()
        self.closed = asyncio.Event()
        self.opening = asyncio.Event()
        self.opening.set()

    @property
    def is_ended(self) -> bool:
        return not self._items

    async def opened(self, stack: AsyncExitStack) -> Scripted:
        stack.callback(self.closed.set)
        self.waiting.set()
        await self.opening.wait()
        return self

    async def take(self, patience_s: float | None = None) -> list[int]:
        item = self._items[0]
        if isinstance(item, asyncio.Event):
            self.waiting.set()
            try:
                await asyncio.wait_for(item.wait(), patience_s)
            except TimeoutError:
                return []
            self._items.pop(0)
            return await self.take(patience_s)
        self._items.pop(0)
        if isinstance(item, Exception):
            raise item
        return [item]


def stream(
    source: Scripted, trace: RequestTrace, silence_s: float = NEVER_S
) -> AsyncGenerator[Sequence[Event], None]:
    return stream_events(source.opened, Writer(), trace, silence_s=silence_s)


async def read(events: AsyncGenerator[Sequence[Event], None]) -> list[bytes]:
    return [b" ".join(event.data for event in each) async for each in events]


async def test_the_row_is_written_before_the_end_is_told(
    trace: RequestTrace, ledger: Any
) -> None:
    source = Scripted(1, 0, 2)
    events = stream(source, trace)
    assert [(await anext(events))[0].data for _ in range(2)] == [b"1", b"2"]
    assert not ledger.finished
    assert (await anext(events))[0].data == b"end"
    assert [row.outcome for row in ledger.finished] == ["finished"]
    assert source.closed.is_set()
    assert await read(events) == []


async def test_every_silence_is_told_also_before_the_answer_begins(
    trace: RequestTrace,
) -> None:
    gate = asyncio.Event()
    source = Scripted(1, gate, 2)
    source.opening.clear()
    told: list[bytes] = []
    async with aclosing(stream(source, trace, 0.01)) as events:
        async for each in events:
            told.append(b" ".join(event.data for event in each))
            if told == [b"", b""]:
                source.opening.set()
            if told[-3:] == [b"1", b"", b""]:
                gate.set()
    assert told[:2] == [b"", b""]
    assert [each for each in told if each] == [b"1", b"2", b"end"]


async def test_what_comes_and_is_not_told_is_a_silence_too(
    trace: RequestTrace,
) -> None:
    told = [each async for each in stream(Scripted(1, 0, 0, 2), trace, 0.0)]
    assert [len(each) for each in told] == [1, 0, 0, 1, 1]


async def test_an_error_before_the_first_event_is_raised(
    trace: RequestTrace, ledger: Any
) -> None:
    source = Scripted(QueueFullError("full"))
    with pytest.raises(QueueFullError):
        await anext(stream(source, trace))
    assert [row.reason for row in ledger.finished] == ["queue_full"]
    assert source.closed.is_set()


async def test_an_error_after_it_is_what_the_stream_ends_with(
    trace: RequestTrace, ledger: Any
) -> None:
    source = Scripted(1, GenerationError("broken"))
    assert await read(stream(source, trace)) == [b"1", GenerationError.code.encode()]
    assert [row.outcome for row in ledger.finished] == ["failed"]


async def test_what_nobody_foresaw_is_told_without_its_words(
    trace: RequestTrace,
) -> None:
    told = await read(stream(Scripted(1, ValueError("secret")), trace))
    assert told == [b"1", InferenceError.code.encode()]


@pytest.mark.parametrize("phase", ["opening", "answering"])
async def test_all_is_let_go_of_when_the_client_leaves(
    trace: RequestTrace, ledger: Any, phase: str
) -> None:
    source = Scripted(1, asyncio.Event())
    if phase == "opening":
        source.opening.clear()
    reader = asyncio.create_task(read(stream(source, trace)))
    await asyncio.wait_for(source.waiting.wait(), PATIENCE_S)
    await asyncio.sleep(0)
    reader.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reader
    assert source.closed.is_set()
    assert [row.outcome for row in ledger.finished] == ["cancelled"]


async def test_a_stream_that_is_closed_between_two_events_lets_go_of_all(
    trace: RequestTrace, ledger: Any
) -> None:
    source = Scripted(1, 2, 3)
    events = stream(source, trace)
    await anext(events)
    await events.aclose()
    assert source.closed.is_set()
    assert [row.outcome for row in ledger.finished] == ["cancelled"]


async def test_an_answer_is_kept_before_its_end_is_told(trace: RequestTrace) -> None:
    writer = Keeping(trace)
    events = stream_events(Scripted(1).opened, writer, trace, silence_s=NEVER_S)
    assert (await anext(events))[0].data == b"1"
    assert not writer.kept
    assert (await anext(events))[0].data == b"end"
    assert writer.kept == [("ended", False)]


async def test_one_that_fails_is_kept_as_such(trace: RequestTrace) -> None:
    writer = Keeping(trace)
    source = Scripted(1, GenerationError("broken"))
    events = stream_events(source.opened, writer, trace, silence_s=NEVER_S)
    assert await read(events) == [b"1", GenerationError.code.encode()]
    assert writer.kept == [("failed", False)]


async def test_one_that_cannot_be_kept_has_failed(
    trace: RequestTrace, ledger: Any
) -> None:
    writer = Keeping(trace, StoreUnavailableError("No disk."))
    events = stream_events(Scripted(1).opened, writer, trace, silence_s=NEVER_S)
    assert await read(events) == [b"1", StoreUnavailableError.code.encode()]
    assert writer.kept == [("failed", False)]
    assert [row.reason for row in ledger.finished] == ["store_unavailable"]


async def test_one_whose_client_leaves_is_kept_as_far_as_it_came(
    trace: RequestTrace, ledger: Any
) -> None:
    writer = Keeping(trace)
    source = Scripted(1, 2)
    events = stream_events(source.opened, writer, trace, silence_s=NEVER_S)
    await anext(events)
    await events.aclose()
    assert writer.kept == [("cut off", True)]
    assert [row.outcome for row in ledger.finished] == ["cancelled"]


async def test_what_was_never_begun_is_not_kept(trace: RequestTrace) -> None:
    writer = Keeping(trace)
    source = Scripted(QueueFullError("full"))
    with pytest.raises(QueueFullError):
        await anext(stream_events(source.opened, writer, trace, silence_s=NEVER_S))
    assert not writer.kept


async def test_a_source_that_cancels_itself_ends_the_stream(
    trace: RequestTrace,
) -> None:
    async def cancelled(_stack: AsyncExitStack) -> Scripted:
        raise asyncio.CancelledError

    events = stream_events(cancelled, Writer(), trace, silence_s=NEVER_S)
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(anext(events), PATIENCE_S)
