"""Every way a generation can end: the seat is freed and one row tells how."""

from __future__ import annotations

import asyncio
import gc
import logging
from collections.abc import Callable
from threading import Event
from typing import Any

import pytest

from inference.core.errors import (
    QueueFullError,
    ShutdownInterruptError,
    WorkerDiedError,
)
from inference.core.limits import Limits
from inference.core.outcomes import Outcome
from inference.core.requests import Delta
from inference.protocol import json_body
from tests.api.cast import ASK, HELLO, PATIENCE_S, AfterView, Client, House
from tests.api.stream_grammar import read_stream

MakeHouse = Callable[..., House]
STREAM = ASK | {"stream": True}


async def released(house: House) -> None:
    """Wait until the service got its generator back, and the row is there."""
    await asyncio.wait_for(house.service.released.wait(), PATIENCE_S)
    assert house.service.live == 0
    await settled(house)


async def settled(house: House) -> None:
    """Wait until the row is there: closing a lost stream is a task of its own."""
    await asyncio.wait_for(house.ledger.ended.wait(), PATIENCE_S)


def assert_cancelled(house: House) -> None:
    row = house.ledger.only_row
    assert row.outcome is Outcome.CANCELLED
    assert row.reason == "client_disconnected"
    assert row.http_status == 499


@pytest.mark.parametrize("body", [ASK, STREAM], ids=["whole", "stream"])
async def test_it_answers_an_error_before_the_first_token_with_its_status(
    make_house: MakeHouse, client: Client, body: Any
) -> None:
    house = make_house(QueueFullError("The queue is full.", retry_after_s=7))
    reply = await client.ask(body)
    assert reply.status == 429
    assert reply.headers["retry-after"] == "7"
    assert reply.error["code"] == "queue_full"
    assert reply.error["type"] == "rate_limit_error"
    assert reply.json["detail"] == "Too many requests. Service is at capacity."
    row = house.ledger.only_row
    assert (row.outcome, row.reason) == (Outcome.REJECTED, "queue_full")
    assert reply.headers["x-request-id"] == row.request_id
    await released(house)


@pytest.mark.parametrize("body", [ASK, STREAM], ids=["whole", "stream"])
async def test_it_hides_what_nobody_foresaw_and_logs_it(
    make_house: MakeHouse, client: Client, body: Any, caplog: pytest.LogCaptureFixture
) -> None:
    house = make_house(ZeroDivisionError("a secret"))
    reply = await client.ask(body)
    assert reply.status == 500
    assert reply.error["code"] == "internal_error"
    assert b"secret" not in reply.body
    tracebacks = [r for r in caplog.records if r.exc_info and r.levelname == "ERROR"]
    own = [r for r in tracebacks if r.name.startswith("inference")]
    assert len(own) == 1
    row = house.ledger.only_row
    assert (row.outcome, row.http_status) == (Outcome.FAILED, 500)


async def test_it_ends_a_stream_with_an_error_event_after_the_first_token(
    make_house: MakeHouse, client: Client
) -> None:
    house = make_house(Delta("Hel"), WorkerDiedError("The worker died."))
    reply = await client.ask(STREAM)
    assert reply.status == 200
    stream = read_stream(reply.body)
    assert stream.text == "Hel"
    assert stream.error is not None
    assert stream.error["code"] == "worker_died"
    assert not stream.is_done
    row = house.ledger.only_row
    assert (row.outcome, row.reason) == (Outcome.FAILED, "worker_died")
    assert row.error == "The worker died."


async def test_it_loses_a_whole_answer_to_an_error_in_its_middle(
    make_house: MakeHouse, client: Client
) -> None:
    house = make_house(Delta("Hel"), WorkerDiedError("The worker died."))
    reply = await client.ask(ASK)
    assert reply.status == 503
    assert reply.error["code"] == "worker_died"
    assert house.ledger.only_row.http_status == 503


async def test_it_ends_a_stream_with_an_error_event_when_something_breaks(
    make_house: MakeHouse, client: Client
) -> None:
    house = make_house(Delta("Hel"), ZeroDivisionError("a secret"))
    reply = await client.ask(STREAM)
    stream = read_stream(reply.body)
    assert stream.error is not None
    assert stream.error["code"] == "internal_error"
    assert b"secret" not in reply.body
    assert house.ledger.only_row.outcome is Outcome.FAILED


async def test_it_marks_a_stream_that_a_shutdown_ended_as_interrupted(
    make_house: MakeHouse, client: Client
) -> None:
    house = make_house(Delta("Hel"), ShutdownInterruptError("Shut down."))
    stream = read_stream((await client.ask(STREAM)).body)
    assert stream.error is not None
    assert house.ledger.only_row.outcome is Outcome.INTERRUPTED


async def test_it_keeps_a_silent_stream_alive_until_the_first_token(
    make_house: MakeHouse, client: Client
) -> None:
    gate = asyncio.Event()
    make_house(gate, *HELLO, sse_keepalive_after_s=0.01)
    exchange = client.post(STREAM)
    assert (await exchange.next())["status"] == 200
    assert await exchange.next_body() == b": keep-alive\n\n"
    assert await exchange.next_body() == b": keep-alive\n\n"
    gate.set()
    body = b""
    while b"[DONE]" not in body:
        body += await exchange.next_body()
    await exchange.end()
    assert read_stream(body).text == "Hello"


async def test_it_keeps_a_stream_alive_that_falls_silent_later(
    make_house: MakeHouse, client: Client
) -> None:
    gate = asyncio.Event()
    make_house(HELLO[0], gate, *HELLO[1:], sse_keepalive_after_s=0.01)
    exchange = client.post(STREAM)
    await exchange.next()
    # On a slow machine even the first token comes after a silence.
    while b'"Hel"' not in (body := await exchange.next_body()):
        assert body == b": keep-alive\n\n"
    assert await exchange.next_body() == b": keep-alive\n\n"
    await exchange.leave()


async def test_it_sends_nothing_before_the_first_token_or_the_keep_alive(
    make_house: MakeHouse, client: Client
) -> None:
    house = make_house(asyncio.Event(), *HELLO)
    exchange = client.post(STREAM)
    await asyncio.wait_for(house.service.waiting.wait(), PATIENCE_S)
    assert exchange.outbox.empty()
    await exchange.leave()


async def test_it_tells_an_error_after_a_keep_alive_as_an_event(
    make_house: MakeHouse, client: Client
) -> None:
    gate = asyncio.Event()
    house = make_house(gate, QueueFullError("Full."), sse_keepalive_after_s=0.01)
    exchange = client.post(STREAM)
    assert (await exchange.next())["status"] == 200
    body = await exchange.next_body()
    gate.set()
    while b"queue_full" not in body:
        body += await exchange.next_body()
    stream = read_stream(body)
    assert stream.comments
    assert stream.error is not None
    await exchange.end()
    # The row keeps the status the request would have had.
    assert house.ledger.only_row.http_status == 429


@pytest.mark.parametrize("body", [ASK, STREAM], ids=["whole", "stream"])
async def test_it_cancels_when_the_client_leaves_before_the_first_token(
    make_house: MakeHouse, client: Client, body: Any
) -> None:
    house = make_house(asyncio.Event(), *HELLO)
    exchange = client.post(body)
    await asyncio.wait_for(house.service.waiting.wait(), PATIENCE_S)
    await exchange.leave()
    await released(house)
    assert_cancelled(house)


@pytest.mark.parametrize("body", [ASK, STREAM], ids=["whole", "stream"])
async def test_it_cancels_when_the_client_leaves_between_tokens(
    make_house: MakeHouse, client: Client, body: Any
) -> None:
    house = make_house(Delta("Hel"), asyncio.Event(), *HELLO)
    exchange = client.post(body)
    await asyncio.wait_for(house.service.waiting.wait(), PATIENCE_S)
    await exchange.leave()
    await released(house)
    assert_cancelled(house)


async def test_it_cancels_when_the_client_leaves_while_its_body_is_read(
    make_house: MakeHouse, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = make_house(limits=Limits(parse_in_thread_bytes=10))
    loop, reading, go_on = asyncio.get_running_loop(), asyncio.Event(), Event()

    def parse_slowly(_raw: bytes, *, depth: int) -> dict[str, Any]:
        loop.call_soon_threadsafe(reading.set)
        go_on.wait(PATIENCE_S)
        return {"depth": depth}

    monkeypatch.setattr(json_body, "parse_object", parse_slowly)
    exchange = client.post(STREAM)
    await asyncio.wait_for(reading.wait(), PATIENCE_S)
    await exchange.leave()
    go_on.set()
    await settled(house)
    assert_cancelled(house)


async def test_it_cancels_when_the_client_leaves_after_a_keep_alive(
    make_house: MakeHouse, client: Client
) -> None:
    house = make_house(asyncio.Event(), sse_keepalive_after_s=0.01)
    exchange = client.post(STREAM)
    await exchange.next()
    await exchange.next_body()
    await exchange.leave()
    await released(house)
    assert_cancelled(house)


@pytest.mark.parametrize("reads", [0, 1, 2])
async def test_it_cancels_when_a_client_leaves_that_has_stopped_reading(
    make_house: MakeHouse, client: Client, reads: int
) -> None:
    house = make_house(*[Delta("word ")] * 50, *HELLO)
    exchange = client.post(STREAM)
    if reads == 0:
        exchange.hold = asyncio.Event()
    else:
        for _ in range(reads):
            await exchange.next()
        exchange.hold = asyncio.Event()
    await asyncio.wait_for(exchange.held.wait(), PATIENCE_S)
    await exchange.leave()
    await released(house)
    assert_cancelled(house)


async def test_it_cancels_when_the_client_leaves_before_the_response_is_sent(
    make_house: MakeHouse, client: Client
) -> None:
    house = make_house(Delta("Hel"), asyncio.Event(), *HELLO)
    viewed = asyncio.Event()
    kept = []

    async def linger(response: Any) -> None:
        kept.append(response)  # So that no garbage collector can help.
        viewed.set()
        await asyncio.Event().wait()

    AfterView.hook = linger
    exchange = client.post(STREAM)
    await asyncio.wait_for(viewed.wait(), PATIENCE_S)
    assert house.service.live == 1
    await exchange.leave()
    await released(house)
    assert_cancelled(house)


async def test_it_lets_go_of_a_stream_whose_response_a_middleware_lost(
    make_house: MakeHouse, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A kept log record would keep the traceback, and with it the response.
    monkeypatch.setattr(logging.getLogger("django.request"), "disabled", True)
    house = make_house(Delta("Hel"), asyncio.Event(), *HELLO)

    async def lose(_response: Any) -> None:
        raise RuntimeError("lost")

    AfterView.hook = lose
    reply = await client.ask(STREAM)
    assert reply.status == 500
    # Whoever sent the reply may still hold its traceback for a moment.
    async with asyncio.timeout(PATIENCE_S):
        while not house.service.released.is_set():
            gc.collect()
            await asyncio.sleep(0.01)
    await released(house)
    assert_cancelled(house)


async def test_it_calls_an_answer_finished_when_the_client_leaves_after_its_end(
    make_house: MakeHouse, client: Client
) -> None:
    house = make_house()
    exchange = client.post(STREAM)
    exchange.hold, exchange.hold_from = asyncio.Event(), b"[DONE]"
    await asyncio.wait_for(exchange.held.wait(), PATIENCE_S)
    await exchange.leave()
    await settled(house)
    row = house.ledger.only_row
    assert row.outcome is Outcome.FINISHED
    assert row.http_status == 200


async def test_it_serves_the_next_request_after_a_cancelled_one(
    make_house: MakeHouse, client: Client
) -> None:
    house = make_house(Delta("Hel"), asyncio.Event(), *HELLO)
    exchange = client.post(STREAM)
    await exchange.next()
    await exchange.leave()
    await settled(house)
    house.service.steps = HELLO
    assert (await client.ask(ASK)).status == 200
    assert [row.outcome for row in house.ledger.finished] == [
        Outcome.CANCELLED,
        Outcome.FINISHED,
    ]
