"""Answers in the background: they end without a listener, are kept, and leave a row."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from inference.auth import SharedKey
from inference.core.errors import (
    CancelledByStaffError,
    ClientTooSlowError,
    QueueFullError,
)
from inference.core.outcomes import Operation
from inference.core.requests import ChatMessage, SamplingRequest, TextPart
from inference.exchange.background import BackgroundRequest, answer_in_background
from inference.exchange.call import Call
from inference.protocol.sse import Event
from inference.runtime import background
from inference.runtime.app import App
from inference.runtime.background import (
    EVENTS_AT_ONCE,
    LAST_WORDS_S,
    BackgroundAnswers,
    EventLog,
)
from tests.api.cast import FixedStats, HealthyRecord
from tests.asking import asking
from tests.runtime.cast import ENDLESS, NODE, LoopClock, Stage, serving

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from inference.core.collected import CollectedAnswer
    from inference.core.errors import InferenceError
    from inference.core.events import RequestRecord
    from inference.core.requests import Delta

pytestmark = pytest.mark.looptime

BEGIN = Event(b"begin")
END, FAILED = b"end", b"failed"
KEEPING_S = 0.5


class PlainWriter:
    """Writes texts as they are, says how it ended, and puts all of it on a shelf."""

    def __init__(self, shelf: list[list[bytes]]) -> None:
        self._told: list[Event] = []
        self._shelf = shelf

    def keep_alive(self) -> bytes:
        raise AssertionError("nobody hears it")

    def whole(self, answer: CollectedAnswer) -> bytes:
        raise AssertionError(answer)

    def events(self, item: Delta) -> Sequence[Event]:
        return self._tell(Event(item.text.encode())) if item.text else []

    def ending(self) -> Sequence[Event]:
        return self._tell(Event(b"", END))

    def failed(self, error: InferenceError) -> Sequence[Event]:
        return self._tell(Event(error.code.encode(), FAILED))

    async def keep(self) -> None:
        await asyncio.sleep(KEEPING_S)
        self._shelf.append([data or name for data, name in self._told])

    def _tell(self, event: Event) -> list[Event]:
        self._told.append(event)
        return [event]


@dataclass
class House:
    """A service on fake workers, and an app around it."""

    stage: Stage
    app: App
    shelf: list[list[bytes]] = field(default_factory=list)

    def begin(self, name: str = "a", tokens: int = 3) -> EventLog:
        """Ask for something in the background."""
        call = Call(
            request=None,  # type: ignore[arg-type]
            app=self.app,
            trace=self.app.new_trace(endpoint="/test", operation=Operation.CHAT),
        )
        call.trace.authorised("key")
        call.trace.open()
        request = asking(
            ChatMessage("user", (TextPart("Hello"),)),
            sampling=SamplingRequest(max_tokens=tokens),
        )
        call.trace.describe(request)
        return answer_in_background(
            call,
            BackgroundRequest(
                name, request.work, "tiny", PlainWriter(self.shelf), (BEGIN,)
            ),
        ).log

    def only_row(self) -> RequestRecord:
        (row,) = self.stage.notes.rows.values()
        return row

    def end(self) -> tuple[str, str]:
        row = self.only_row()
        return row.outcome, row.reason


@asynccontextmanager
async def open_house(**config: Any) -> AsyncIterator[House]:
    async with serving("tiny", **config) as stage:
        app = App(
            service=stage.service,
            observer=stage.notes,
            stats=FixedStats(),
            keys=SharedKey(""),
            identity=NODE,
            record=HealthyRecord(),
            clock=LoopClock(),
            running=stage.running,
            background=BackgroundAnswers(limit_bytes=1000),
        )
        yield House(stage, app)
        await app.background.stop()
        assert not len(app.background)
        stage.assert_all_given_back()


async def told(log: EventLog) -> list[bytes]:
    batches = [batch async for batch in log.follow(silence_s=1000.0)]
    return [data or name for batch in batches for data, name in batch]


async def test_it_comes_to_its_end_while_nobody_listens() -> None:
    async with open_house() as house:
        await house.begin(tokens=3).ended()
        assert house.end() == ("finished", "")
        assert house.only_row().completion_tokens == 3
        assert house.shelf == [[b"a ", b"a ", END]]


async def test_who_follows_hears_all_of_it_whenever_they_come() -> None:
    async with open_house() as house:
        log = house.begin(tokens=9)
        early = asyncio.create_task(told(log))
        await asyncio.sleep(5)
        late = asyncio.create_task(told(log))
        await log.ended()
        after = await told(log)
        assert await early == await late == after == [b"begin", *house.shelf[0]]


async def test_who_stops_listening_changes_nothing() -> None:
    async with open_house() as house:
        log = house.begin(tokens=9)
        listener = asyncio.create_task(told(log))
        await asyncio.sleep(5)
        listener.cancel()
        await log.ended()
        assert house.end() == ("finished", "")


async def test_silence_is_told_to_those_who_follow() -> None:
    async with open_house() as house:
        house.stage.workers.let("tiny", step_s=100)
        log = house.begin(tokens=1)
        batches = [batch async for batch in log.follow(silence_s=0.4)]
        assert batches[0] == [BEGIN]
        assert not batches[1]
        assert batches[-1] == [(b"", END)]


async def test_its_last_words_are_told_once_it_is_kept() -> None:
    async with open_house() as house:
        following = house.begin(tokens=1).follow(silence_s=1000.0)
        assert await anext(following) == [BEGIN]
        keeping_since = asyncio.get_running_loop().time()
        assert not house.shelf
        assert await anext(following) == [(b"", END)]
        assert house.shelf == [[END]]
        assert asyncio.get_running_loop().time() >= keeping_since + KEEPING_S


async def test_its_client_may_take_it_back() -> None:
    async with open_house() as house:
        log = house.begin(tokens=ENDLESS)
        await asyncio.sleep(10)
        answer = house.app.background.find("a", "key")
        assert answer is not None
        assert answer.has_begun
        assert answer.cancel()
        assert not answer.cancel()
        await log.ended()
        assert house.end() == ("cancelled", "cancelled_by_client")
        assert house.shelf[0][-1] == b"cancelled_by_client"


async def test_it_may_be_taken_back_before_it_has_begun() -> None:
    async with open_house(max_concurrency=1) as house:
        running, waiting = house.begin("a", tokens=50), house.begin("b")
        await asyncio.sleep(10)
        answer = house.app.background.find("b", "key")
        assert answer is not None
        assert not answer.has_begun
        answer.cancel()
        await waiting.ended()
        assert house.shelf == [[b"cancelled_by_client"]]
        await running.ended()


async def test_staff_may_end_it_as_any_other() -> None:
    async with open_house() as house:
        log = house.begin(tokens=ENDLESS)
        await asyncio.sleep(10)
        (running,) = house.app.running.first(9)
        assert house.app.running.cancel(running.request_id, by="staff")
        await log.ended()
        assert house.end() == ("cancelled", CancelledByStaffError.code)


async def test_what_is_to_be_forgotten_ends() -> None:
    async with open_house() as house:
        log = house.begin(tokens=ENDLESS)
        await asyncio.sleep(10)
        answer = house.app.background.find("a", "key")
        assert answer is not None
        answer.forget()
        assert answer.is_forgotten
        await log.ended()
        assert house.end() == ("cancelled", "cancelled_by_client")


async def test_another_key_does_not_find_it() -> None:
    async with open_house() as house:
        log = house.begin()
        assert house.app.background.find("a", "other") is None
        assert house.app.background.find("a", "key") is not None
        await log.ended()
        await asyncio.sleep(0)
        assert house.app.background.find("a", "key") is None


async def test_what_keeps_it_from_beginning_is_its_end() -> None:
    async with open_house(max_concurrency=1, queue_timeout_s=5.0) as house:
        running, waiting = house.begin("a", tokens=50), house.begin("b")
        await waiting.ended()
        assert house.shelf == [[b"queue_timeout"]]
        outcomes = {row.outcome for row in house.stage.notes.rows.values()}
        assert outcomes == {"timed_out"}
        await running.ended()


async def test_a_server_that_ends_lets_it_end_in_time() -> None:
    async with open_house() as house:
        house.begin(tokens=50)
        await asyncio.sleep(10)
        await house.stage.service.drain(100, hurry=asyncio.Event())
        await house.app.background.stop()
        assert house.end() == ("finished", "")
        assert house.shelf[0][-1] == END


async def test_a_server_that_cannot_wait_ends_it_with_a_word() -> None:
    async with open_house() as house:
        house.begin(tokens=ENDLESS)
        await asyncio.sleep(10)
        await house.stage.service.drain(20, hurry=asyncio.Event())
        await house.app.background.stop()
        assert house.end() == ("interrupted", "shutdown")
        assert house.shelf[0][-1] == b"shutdown"


async def test_a_server_ends_though_keeping_takes_for_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with open_house() as house:
        log = house.begin(tokens=1)
        monkeypatch.setattr(f"{__name__}.KEEPING_S", 1e6)
        await asyncio.sleep(10)
        before = asyncio.get_running_loop().time()
        await house.app.background.stop()
        assert asyncio.get_running_loop().time() <= before + LAST_WORDS_S + 0.1
        assert log.is_closed
        assert not house.shelf


async def test_more_than_so_many_at_once_are_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(background, "BACKGROUND_MOST", 1)
    async with open_house() as house:
        house.app.background.refuse_if_full()
        log = house.begin()
        with pytest.raises(QueueFullError):
            house.app.background.refuse_if_full()
        await log.ended()


async def test_who_comes_late_hears_all_of_it_bit_by_bit() -> None:
    log = EventLog(limit_bytes=10_000)
    said = [(str(n).encode(), b"") for n in range(2 * EVENTS_AT_ONCE + 5)]
    log.append(said)
    log.close()
    batches = [batch async for batch in log.follow(silence_s=1)]
    assert [len(batch) for batch in batches] == [EVENTS_AT_ONCE, EVENTS_AT_ONCE, 5]
    assert [event for batch in batches for event in batch] == said


async def test_what_is_too_much_to_hold_is_not_told_to_those_who_come_late() -> None:
    log = EventLog(limit_bytes=10)
    following = log.follow(silence_s=1)
    log.append([(b"12345", b"")])
    assert await anext(following) == [(b"12345", b"")]
    log.append([(b"12345", b""), (b"123456", b"")])
    with pytest.raises(ClientTooSlowError):
        await anext(following)
