"""Seats go in order, waiting places are bounded, and none is ever lost."""

from __future__ import annotations

import asyncio

import pytest

from inference.core.errors import (
    InvalidRequestError,
    QueueFullError,
    QueueTimeoutError,
    ServerDrainingError,
)
from inference.runtime.admission import AdmissionQueue, Seats, WaitingRoom


def queue_of(*, seats: int, places: int) -> AdmissionQueue:
    return AdmissionQueue(seats=seats, room=WaitingRoom(places=places))


async def in_line(queue: AdmissionQueue, count: int = 1) -> asyncio.Task[Seats]:
    """Start a `take` and return once it stands in line."""
    before = queue.waiting
    task = asyncio.create_task(queue.take(timeout_s=30, count=count))
    while queue.waiting == before:  # noqa: ASYNC110 -- one turn of the loop is due
        await asyncio.sleep(0)
    return task


async def test_it_seats_in_the_order_of_arrival() -> None:
    queue = queue_of(seats=1, places=10)
    first = await queue.take(timeout_s=1)
    second, third = await in_line(queue), await in_line(queue)
    first.release()
    seats = await second
    assert not third.done()
    seats.release()
    (await third).release()
    assert queue.active == queue.waiting == 0


async def test_it_refuses_when_every_waiting_place_is_taken() -> None:
    queue = queue_of(seats=1, places=1)
    seats = await queue.take(timeout_s=1)
    waiter = await in_line(queue)
    with pytest.raises(QueueFullError) as refusal:
        await queue.take(timeout_s=1)
    assert refusal.value.retry_after_s
    seats.release()
    (await waiter).release()


async def test_it_shares_the_waiting_places_between_models() -> None:
    room = WaitingRoom(places=1)
    queues = [AdmissionQueue(seats=1, room=room) for _ in range(2)]
    taken = [await queue.take(timeout_s=1) for queue in queues]
    waiter = await in_line(queues[0])
    with pytest.raises(QueueFullError):
        await queues[1].take(timeout_s=1)
    taken[0].release()
    (await waiter).release()
    assert room.taken == 0


async def test_it_sends_a_waiter_away_when_its_patience_is_over() -> None:
    queue = queue_of(seats=1, places=5)
    await queue.take(timeout_s=1)
    with pytest.raises(QueueTimeoutError):
        await queue.take(timeout_s=0.01)
    assert queue.waiting == 0


async def test_it_gives_the_place_of_a_cancelled_waiter_to_the_next() -> None:
    queue = queue_of(seats=1, places=5)
    seats = await queue.take(timeout_s=1)
    gone, stays = await in_line(queue), await in_line(queue)
    gone.cancel()
    with pytest.raises(asyncio.CancelledError):
        await gone
    seats.release()
    (await stays).release()
    assert queue.active == 0


async def test_it_loses_no_seat_when_a_waiter_is_cancelled_as_it_is_called() -> None:
    queue = queue_of(seats=1, places=5)
    seats = await queue.take(timeout_s=1)
    waiter = await in_line(queue)
    seats.release()  # calls the waiter, which has not run since
    waiter.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiter
    assert queue.active == 0


async def test_it_lets_nobody_overtake_a_request_for_several_seats() -> None:
    queue = queue_of(seats=2, places=5)
    one = await queue.take(timeout_s=1)
    pair, single = await in_line(queue, count=2), await in_line(queue)
    assert not pair.done()
    one.release()
    seats = await pair
    assert queue.active == 2
    assert not single.done()
    seats.release()
    (await single).release()


async def test_it_refuses_more_seats_than_there_are_by_name() -> None:
    with pytest.raises(InvalidRequestError) as refusal:
        await queue_of(seats=2, places=5).take(timeout_s=1, count=3)
    assert refusal.value.param == "n"


async def test_it_sends_everybody_away_when_it_closes() -> None:
    queue = queue_of(seats=1, places=5)
    await queue.take(timeout_s=1)
    waiter = await in_line(queue)
    queue.close(ServerDrainingError("ending"))
    with pytest.raises(ServerDrainingError):
        await waiter
    with pytest.raises(ServerDrainingError):
        await queue.take(timeout_s=1)


async def test_it_releases_a_seat_only_once() -> None:
    queue = queue_of(seats=1, places=5)
    seats = await queue.take(timeout_s=1)
    seats.release()
    seats.release()
    assert queue.active == 0
