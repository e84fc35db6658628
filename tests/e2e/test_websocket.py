"""/ws/chat against a real server: the same request, the same chunks, as messages."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import websockets

from tests.e2e.servers import SOON_S

if TYPE_CHECKING:
    from tests.e2e.servers import Server

pytestmark = pytest.mark.slow

COUNT = [{"role": "user", "content": "Count to twenty."}]


def address(server: Server) -> str:
    return server.base_url.replace("http", "ws") + "/ws/chat"


async def messages_until(socket: Any, last_type: str) -> list[dict[str, Any]]:
    found = []
    while True:
        found.append(json.loads(await socket.recv()))
        if found[-1].get("type") == last_type:
            return found


async def test_it_streams_the_same_answer_over_a_websocket(
    tiny_server: Server,
) -> None:
    before = tiny_server.count_rows()
    async with websockets.connect(address(tiny_server)) as socket:
        await socket.send(json.dumps({"messages": COUNT}))
        *chunks, done = await messages_until(socket, "done")
    text = "".join(c["choices"][0]["delta"].get("content") or "" for c in chunks)
    assert text.startswith("one two three")
    assert text.endswith("nineteen twenty")
    row = list(tiny_server.wait_rows(before + 1).values())[-1]
    assert row["request_id"] == done["request_id"]
    assert (row["endpoint"], row["outcome"]) == ("/ws/chat", "finished")


async def test_it_stops_at_once_when_the_client_cancels(
    rambler_server: Server,
) -> None:
    before = rambler_server.count_rows()
    endless = {"messages": COUNT, "temperature": 0, "max_tokens": 100_000}
    async with websockets.connect(address(rambler_server)) as socket:
        await socket.send(json.dumps(endless))
        assert json.loads(await socket.recv())["object"] == "chat.completion.chunk"
        await socket.send(json.dumps({"type": "cancel"}))
        await messages_until(socket, "cancelled")
        rambler_server.wait_idle(SOON_S)
        # The connection is still good for the next question.
        await socket.send(json.dumps({"messages": COUNT, "max_tokens": 3}))
        await messages_until(socket, "done")
    rows = list(rambler_server.wait_rows(before + 2).values())[before:]
    assert [(r["outcome"], r["reason"]) for r in rows] == [
        ("cancelled", "cancelled_by_client"),
        ("finished", ""),
    ]


async def test_it_frees_the_seat_when_the_socket_is_closed_in_mid_answer(
    rambler_server: Server,
) -> None:
    before = rambler_server.count_rows()
    endless = {"messages": COUNT, "temperature": 0, "max_tokens": 100_000}
    async with websockets.connect(address(rambler_server)) as socket:
        await socket.send(json.dumps(endless))
        await socket.recv()
    rambler_server.wait_idle(SOON_S)
    row = list(rambler_server.wait_rows(before + 1).values())[-1]
    assert (row["outcome"], row["phase"]) == ("cancelled", "decode")
