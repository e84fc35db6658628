"""Who may run and who waits: one queue per model, one bound over all of them."""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from inference.core.errors import (
    InferenceError,
    InvalidRequestError,
    QueueFullError,
    QueueTimeoutError,
)
from inference.core.timing import Clock, SystemClock
from inference.runtime.seat_pace import SeatPace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping


class WaitingRoom:
    """Counts the requests that wait for a seat, over all models."""

    def __init__(self, *, places: int) -> None:
        self.places = places
        self.taken = 0

    @property
    def is_full(self) -> bool:
        """Whether nobody more may wait."""
        return self.taken >= self.places

    def full_error(
        self,
        seats: Mapping[str, int] | None = None,
        *,
        retry_after_s: int | None = None,
    ) -> QueueFullError:
        """Return the refusal of whoever finds it full; `seats` go with its figures."""
        return QueueFullError(
            f"The queue is full: {self.taken} of {self.places} waiting places are "
            "taken.",
            figures={"waiting": self.taken, "places": self.places, **(seats or {})},
            retry_after_s=retry_after_s,
        )

    @contextmanager
    def place(self) -> Iterator[None]:
        """Wait here, for something that is no seat.

        Raises:
            QueueFullError: every place is taken.
        """
        if self.is_full:
            raise self.full_error()
        self.taken += 1
        try:
            yield
        finally:
            self.taken -= 1


@dataclass(slots=True, eq=False)
class Seats:
    """The right of one request to run `count` sequences; each is given back once."""

    count: int
    _give_back: Callable[[int], None]

    def release(self, count: int | None = None) -> None:
        """Give `count` seats back, or all that are left; never one twice."""
        returned = self.count if count is None else min(count, self.count)
        self.count -= returned
        if returned:
            self._give_back(returned)


@dataclass(slots=True, eq=False)
class _Waiter:
    count: int
    turn: asyncio.Future[Seats]


class AdmissionQueue:
    """First come, first served; the head waits for all the seats it needs."""

    def __init__(
        self, *, seats: int, room: WaitingRoom, clock: Clock | None = None
    ) -> None:
        self.seats = seats
        self.active = 0
        self._room = room
        self._pace = SeatPace(clock or SystemClock())
        self._line: deque[_Waiter] = deque()
        self._closed_by: InferenceError | None = None

    @property
    def waiting(self) -> int:
        """Requests in line for this model."""
        return len(self._line)

    def retry_after_s(self, count: int = 1) -> int:
        """Return when who joins the line now would get `count` seats, in seconds."""
        before = sum(waiter.count for waiter in self._line)
        return self._pace.wait_s(before + count, seats=self.seats)

    def refuse_if_hopeless(self, count: int = 1) -> None:
        """Raise what `take` would raise at once, before any work is done."""
        if self._closed_by is not None:
            raise self._closed_by
        if count > self.seats:
            raise InvalidRequestError(
                f"Invalid 'n': {count} choices were asked for, but this model runs at "
                f"most {self.seats} sequences at once.",
                param="n",
                figures={"asked": count, "seats": self.seats},
            )
        if not self._can_run(count) and self._room.is_full:
            raise self._room.full_error(
                self._figures(), retry_after_s=self.retry_after_s(count)
            )

    async def take(self, *, timeout_s: float, count: int = 1) -> Seats:
        """Wait for `count` seats.

        Raises:
            QueueFullError: every waiting place is taken.
            QueueTimeoutError: no seat came free within `timeout_s`.
        """
        self.refuse_if_hopeless(count)
        if self._can_run(count):
            return self._seat(count)
        waiter = _Waiter(count, asyncio.get_running_loop().create_future())
        self._line.append(waiter)
        self._room.taken += 1
        try:
            return await self._wait(waiter, timeout_s)
        finally:
            self._room.taken -= 1

    def resize(self, seats: int) -> None:
        """Change how many sequences may run at once."""
        self.seats = seats
        self._call_next()

    def close(self, error: InferenceError) -> None:
        """Send everybody in line away with `error`, and everybody who comes."""
        self._closed_by = error
        self.send_away(error)

    def send_away(self, error: InferenceError) -> None:
        """Send everybody in line away with `error`."""
        line, self._line = self._line, deque()
        for waiter in line:
            if not waiter.turn.done():
                waiter.turn.set_exception(error)

    async def _wait(self, waiter: _Waiter, timeout_s: float) -> Seats:
        try:
            async with asyncio.timeout(timeout_s):
                return await asyncio.shield(waiter.turn)
        except TimeoutError:
            self._abandon(waiter)
            raise QueueTimeoutError(
                f"No seat came free within {timeout_s:g} s.",
                figures=self._figures() | {"timeout_s": timeout_s},
                retry_after_s=self.retry_after_s(waiter.count),
            ) from None
        except asyncio.CancelledError:
            self._abandon(waiter)
            raise

    def _abandon(self, waiter: _Waiter) -> None:
        if waiter in self._line:
            self._line.remove(waiter)
            waiter.turn.cancel()
            # Whoever stood behind may need fewer seats.
            self._call_next()
        elif not waiter.turn.cancelled() and waiter.turn.exception() is None:
            # Called at the very moment it gave up.
            waiter.turn.result().release()

    def _figures(self) -> dict[str, int]:
        return {"running": self.active, "seats": self.seats}

    def _can_run(self, count: int) -> bool:
        return not self._line and self.active + count <= self.seats

    def _seat(self, count: int) -> Seats:
        self.active += count
        self._pace.note(taken=self.active)
        return Seats(count, self._give_back)

    def _give_back(self, count: int) -> None:
        self.active -= count
        self._pace.note(taken=self.active, given_back=count)
        self._call_next()

    def _call_next(self) -> None:
        while self._line and self.active + self._line[0].count <= self.seats:
            waiter = self._line.popleft()
            if not waiter.turn.done():
                waiter.turn.set_result(self._seat(waiter.count))
