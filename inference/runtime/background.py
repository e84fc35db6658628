"""Answers that go on while nobody listens: owns their tasks and what they have said.

It knows no wire format: an event is its data and its name, as bytes.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from inference.core.errors import (
    CancelledByClientError,
    ClientTooSlowError,
    QueueFullError,
)
from inference.core.limits import MIB

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Coroutine, Sequence
    from typing import Any

    from inference.core.trace import RequestTrace

logger = logging.getLogger("inference")

BACKGROUND_MOST = 1000
# For the last words to be written down, once the server ends.
LAST_WORDS_S = 5.0

# So many are told before others have their turn.
EVENTS_AT_ONCE = 256

Told = tuple[bytes, bytes]


class EventLog:
    """What one answer has said; each of those who follow it has a place of its own.

    Beyond `limit_bytes` the oldest events are dropped.
    """

    def __init__(self, *, limit_bytes: int) -> None:
        self.is_closed = False
        self.events: list[Told] = []
        self._limit_bytes = limit_bytes
        self._size_bytes = 0
        self._dropped = 0
        self._news = asyncio.Event()

    def append(self, events: Sequence[Told]) -> None:
        """Note what was said, if anything."""
        if not events:
            return
        self.events.extend(events)
        self._size_bytes += sum(map(_size, events))
        self._drop_oldest()
        self._tell()

    def close(self) -> None:
        """There will be no more."""
        self.is_closed = True
        self._tell()

    async def ended(self) -> None:
        """Wait until there will be no more."""
        while not self.is_closed:
            await self._news.wait()

    async def follow(self, *, silence_s: float) -> AsyncGenerator[Sequence[Told], None]:
        """Yield what was said and what is, to the end; nothing after some silence.

        Raises:
            ClientTooSlowError: what is next was dropped.
        """
        place = 0
        while True:
            if place < self._dropped:
                raise ClientTooSlowError("What comes next is not kept any more.")
            news, begin = self._news, place - self._dropped
            new = self.events[begin : begin + EVENTS_AT_ONCE]
            place += len(new)
            if new:
                yield new
                # Who is far behind lets others have their turn.
                await asyncio.sleep(0)
            elif self.is_closed:
                return
            elif not await _happened(news, silence_s):
                yield ()

    def _drop_oldest(self) -> None:
        many = 0
        while self._size_bytes > self._limit_bytes and many < len(self.events):
            self._size_bytes -= _size(self.events[many])
            many += 1
        if many:
            del self.events[:many]
            self._dropped += many

    def _tell(self) -> None:
        # Whoever waits holds the old one.
        news, self._news = self._news, asyncio.Event()
        news.set()


class BackgroundAnswer:
    """One answer under way, for the key that asked for it."""

    def __init__(self, answer_id: str, trace: RequestTrace, log: EventLog) -> None:
        self.id = answer_id
        self.key_name = trace.record.key_name
        self.log = log
        self.is_forgotten = False
        self._trace = trace

    @property
    def has_begun(self) -> bool:
        """Whether it has been given a seat."""
        return self._trace.record.admitted

    def cancel(self) -> bool:
        """End it for its client; false where it has ended already."""
        return self._trace.stop(CancelledByClientError())

    def forget(self) -> None:
        """End it, and keep nothing of it."""
        self.is_forgotten = True
        self.cancel()


class BackgroundAnswers:
    """Owns the answers under way; lives on the event loop.

    Of what each of them says `limit_bytes` are held.
    """

    def __init__(self, *, limit_bytes: int = 64 * MIB) -> None:
        self._limit_bytes = limit_bytes
        self._answers: dict[str, BackgroundAnswer] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._stopping = asyncio.Event()

    def __len__(self) -> int:
        return len(self._answers)

    def refuse_if_full(self) -> None:
        """Raise where one more would be too many.

        Raises:
            QueueFullError: with the figures.
        """
        if len(self._answers) >= BACKGROUND_MOST:
            raise QueueFullError(
                f"{BACKGROUND_MOST} responses are under way in the background.",
                figures={"running": len(self._answers), "places": BACKGROUND_MOST},
            )

    def begin(
        self,
        answer_id: str,
        trace: RequestTrace,
        drive: Callable[[BackgroundAnswer], Coroutine[Any, Any, None]],
    ) -> BackgroundAnswer:
        """Drive an answer to its end, in a task that nobody waits for."""
        log = EventLog(limit_bytes=self._limit_bytes)
        answer = self._answers[answer_id] = BackgroundAnswer(answer_id, trace, log)
        task = asyncio.create_task(self._driven(answer, drive))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return answer

    def find(self, answer_id: str, key_name: str) -> BackgroundAnswer | None:
        """Return an answer under way, unless another key asked for it."""
        answer = self._answers.get(answer_id)
        return answer if answer and answer.key_name == key_name else None

    async def may_retry(self, after_s: float) -> bool:
        """Wait before another try; false at once where the server ends."""
        return not await _happened(self._stopping, after_s)

    async def stop(self, timeout_s: float = LAST_WORDS_S) -> None:
        """Wait for what is ending by now; give up what does not end in time."""
        self._stopping.set()
        if not self._tasks:
            return
        _, late = await asyncio.wait(set(self._tasks), timeout=timeout_s)
        for task in late:
            task.cancel()
        if late:
            await asyncio.wait(late)

    async def _driven(
        self,
        answer: BackgroundAnswer,
        drive: Callable[[BackgroundAnswer], Coroutine[Any, Any, None]],
    ) -> None:
        try:
            await drive(answer)
        except Exception:
            logger.exception("The background answer %s was given up", answer.id)
        finally:
            answer.log.close()
            self._answers.pop(answer.id, None)


def _size(event: Told) -> int:
    return sum(map(len, event))


async def _happened(event: asyncio.Event, within_s: float) -> bool:
    """Whether an event happens within some time."""
    try:
        async with asyncio.timeout(within_s):
            return await event.wait()
    except TimeoutError:
        return False
