"""Many at once, hanging up, killed, starved of their database: nothing is lost."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
import sqlite3
from typing import TYPE_CHECKING, Any

import httpx
import openai
import pytest

from tests.e2e.raw import connect, head, post
from tests.e2e.servers import PATIENCE_S, wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.conftest import StartServer
    from tests.e2e.servers import Server

HELLO = [{"role": "user", "content": "Hello"}]
ENDLESS = {"messages": HELLO, "temperature": 0, "max_tokens": 100_000}
AT_ONCE = 60
MIB = 1024 * 1024

pytestmark = pytest.mark.slow


async def hang_up(server: Server, number: int, chance: random.Random) -> None:
    """Ask, wait a moment, and go without a word."""
    body = dict(ENDLESS, stream=bool(number % 2))
    if number % 5 == 0:
        body["messages"] = [{"role": "user", "content": "one two three " * 3000}]
    pause_s = chance.choice([0.0, 0.005, 0.05, 0.2, 0.5])
    _, writer = await connect(server)
    writer.write(post(server, body, x_client_request_id=f"client-{number}"))
    await writer.drain()
    await asyncio.sleep(pause_s)
    writer.transport.abort()


@pytest.mark.parametrize(
    "clients", [200, pytest.param(1000, marks=pytest.mark.endurance)]
)
async def test_it_forgets_clients_that_hang_up_at_any_moment(
    clients: int, start_server: StartServer, rambler_dir: Path
) -> None:
    server = start_server(
        rambler_dir, "--max-concurrency", "8", "--queue-size", "200"
    ).wait_ready()
    chance = random.Random(1)
    turns = asyncio.Semaphore(AT_ONCE)

    async def one(number: int) -> None:
        async with turns:
            await hang_up(server, number, chance)

    await asyncio.gather(*(one(number) for number in range(100)))
    # Once the rows are written, no connection of theirs is open any more.
    await asyncio.to_thread(server.wait_rows, 100)
    await asyncio.to_thread(server.wait_idle)
    files, memory = server.open_files(), server.resident_bytes()
    await asyncio.gather(*(one(number) for number in range(100, clients)))
    await asyncio.to_thread(server.wait_idle)
    server.count_rows()
    rows = [r for r in server.rows().values() if r["client_request_id"]]
    ids = [row["client_request_id"] for row in rows]
    assert len(ids) == len(set(ids)) == clients
    assert {row["outcome"] for row in rows} == {"cancelled"}
    assert {"prepare", "queued", "prefill", "decode"} >= {
        row["phase"] for row in rows
    } - {"received"}
    assert len({row["phase"] for row in rows}) >= 3
    wait_until(lambda: abs(server.open_files() - files) <= 4, "as many files as before")
    assert server.resident_bytes() - memory < 40 * MIB
    # And the next one is served as if nothing had been.
    answer = server.client().chat.completions.create(
        model="rambler", messages=HELLO, max_tokens=3
    )
    assert answer.choices[0].finish_reason


async def stream_until_cut(
    client: openai.AsyncOpenAI, name: str, seen: dict[str, str]
) -> None:
    """Stream again and again; note for each request how it looked from here."""
    number = 0
    while True:
        number += 1
        key = f"{name}-{number}"
        seen[key] = "sent"
        try:
            stream = await client.chat.completions.create(
                model="tiny-qwen2-vl",
                messages=[{"role": "user", "content": "Count to twenty."}],
                stream=True,
                extra_headers={"x-client-request-id": key},
            )
            seen[key] = "begun"
            async for chunk in stream:
                if chunk.choices and chunk.choices[0].finish_reason:
                    seen[key] = "finishing"
            seen[key] = "finished"
        except (openai.APIError, httpx.HTTPError):
            return


def wait_begun(seen: dict[str, str], round_number: int) -> None:
    """Return once an answer of this round has begun."""

    def has_begun() -> bool:
        states = [it for key, it in seen.copy().items() if key.startswith(mine)]
        return any(state != "sent" for state in states)

    mine = f"r{round_number}c"
    wait_until(has_begun, "an answer that has begun")


@pytest.mark.parametrize("kills", [1, pytest.param(5, marks=pytest.mark.endurance)])
async def test_it_accounts_for_every_request_over_kills(
    kills: int, start_server: StartServer, tiny_model_dir: Path
) -> None:
    chance = random.Random(2)
    seen: dict[str, str] = {}
    for round_number in range(kills):
        server = start_server(tiny_model_dir).wait_ready()
        client = server.async_client()
        names = [f"r{round_number}c{n}" for n in range(8)]
        tasks = [
            asyncio.create_task(stream_until_cut(client, name, seen)) for name in names
        ]
        await asyncio.to_thread(wait_begun, seen, round_number)
        await asyncio.sleep(chance.random())
        workers = server.worker_pids()
        server.kill()
        await asyncio.gather(*tasks)
        wait_until(lambda: not _alive(workers), "the end of the workers")  # noqa: B023
    server = start_server(tiny_model_dir).wait_ready()
    server.count_rows()
    rows = {r["client_request_id"]: r for r in server.rows().values()}
    assert set(rows) <= set(seen)
    for key, state in seen.items():
        outcome = rows[key]["outcome"] if key in rows else "no row"
        expected = {
            "sent": {"no row", "interrupted", "finished"},
            "begun": {"interrupted", "finished"},
            "finishing": {"interrupted", "finished"},
            "finished": {"finished"},
        }[state]
        assert outcome in expected, (key, state, outcome)
    cut = [row for row in rows.values() if row["outcome"] == "interrupted"]
    assert len(cut) >= kills
    assert {row["reason"] for row in cut} == {"crash"}
    with contextlib.closing(
        sqlite3.connect(server.data_dir / "db.sqlite3")
    ) as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def _alive(pids: list[int]) -> list[int]:
    alive = []
    for pid in pids:
        with contextlib.suppress(OSError):
            os.kill(pid, 0)
            alive.append(pid)
    return alive


async def test_it_answers_while_its_database_is_locked_and_writes_all_rows_later(
    start_server: StartServer, tiny_model_dir: Path
) -> None:
    server = start_server(tiny_model_dir, DATABASE_URL="").wait_ready()
    lock = sqlite3.connect(server.data_dir / "db.sqlite3", isolation_level=None)
    lock.execute("BEGIN EXCLUSIVE")
    client = server.async_client()
    for _ in range(5):
        await asyncio.gather(
            *(
                client.chat.completions.create(model="tiny-qwen2-vl", messages=HELLO)
                for _ in range(8)
            )
        )
    assert server.get("/v1/queue/stats")["record"]["spool_lag_bytes"] > 0
    lock.execute("ROLLBACK")
    lock.close()
    rows = server.wait_rows(40)
    assert {row["outcome"] for row in rows.values()} == {"finished"}
    assert server.get("/v1/queue/stats")["record"]["dropped_total"] == 0


async def test_it_closes_websockets_and_half_sent_bodies_when_it_stops(
    start_server: StartServer, rambler_dir: Path
) -> None:
    import websockets

    server = start_server(rambler_dir, "--drain-timeout", "0.3").wait_ready()
    _, half = await connect(server)
    half.write(head(server, 1000) + b'{"messages"')
    address = f"ws://127.0.0.1:{server.port}/ws/chat"
    async with websockets.connect(address) as socket:
        await socket.send(
            '{"messages": [{"role": "user", "content": "Hi"}], '
            '"temperature": 0, "max_tokens": 100000}'
        )
        await socket.recv()
        server.process.send_signal(signal.SIGTERM)
        async for _ in socket:
            pass
    assert socket.close_code == 1001
    assert server.process.wait(PATIENCE_S) == 0
    (row,) = server.rows().values()
    assert (row["outcome"], row["reason"]) == ("interrupted", "shutdown")
    half.close()


async def test_it_ends_at_once_on_a_second_signal(
    start_server: StartServer, rambler_dir: Path
) -> None:
    server = start_server(rambler_dir, "--drain-timeout", "600").wait_ready()
    client = server.async_client()
    stream = await client.chat.completions.create(
        model="rambler", stream=True, **ENDLESS
    )
    await anext(aiter(stream))
    server.process.send_signal(signal.SIGINT)
    await asyncio.to_thread(
        wait_until, lambda: "Draining" in server.output(), "the drain"
    )
    # Draining, a stream runs on and new requests are refused or not accepted.
    await anext(aiter(stream))
    with pytest.raises((openai.APIStatusError, openai.APIConnectionError)):
        await client.chat.completions.create(model="rambler", messages=HELLO)
    server.process.send_signal(signal.SIGINT)
    assert server.process.wait(PATIENCE_S) == 0
    outcomes = [row["outcome"] for row in server.rows().values()]
    assert "interrupted" in outcomes
    assert "running" not in outcomes


async def test_it_ends_and_restarts_a_worker_that_hangs(
    start_server: StartServer, rambler_dir: Path
) -> None:
    server = start_server(rambler_dir, HANG_TIMEOUT="6").wait_ready()
    client = server.async_client()
    stream: Any = await client.chat.completions.create(
        model="rambler", stream=True, **ENDLESS
    )
    await anext(aiter(stream))
    (worker,) = server.worker_pids()
    os.kill(worker, signal.SIGSTOP)
    with pytest.raises(openai.APIError) as end:
        async for _ in stream:
            pass
    assert end.value.code == "worker_died"
    answer = await client.chat.completions.create(
        model="rambler", messages=HELLO, max_tokens=3
    )
    assert answer.choices[0].finish_reason
    server.count_rows()
    died = [e for e in server.events() if e["kind"] == "worker_died"]
    assert "no step" in died[0]["detail"]
