"""Staff cancel a request, whatever it does: client, seat and row say the same."""

from __future__ import annotations

import asyncio
import json
import socket
from typing import TYPE_CHECKING, Any

import openai
import pytest
import websockets

from tests.e2e import raw
from tests.e2e.dashboards import dashboard
from tests.e2e.servers import SOON_S, Server

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.e2e.conftest import StartServer
    from tests.e2e.dashboards import LiveSocket

pytestmark = pytest.mark.slow

HELLO = [{"role": "user", "content": "Hello"}]
ENDLESS = {"model": "rambler", "temperature": 0, "max_tokens": 100_000}
SAID = "The request was cancelled by an administrator."
ERROR = json.dumps(
    {
        "message": SAID,
        "type": "server_error",
        "param": None,
        "code": "cancelled_by_staff",
    }
)


@pytest.fixture(scope="module")
def server(rambler_server: Server) -> Server:
    """A model that never ends."""
    return rambler_server


@pytest.fixture
async def staff(server: Server) -> AsyncIterator[LiveSocket]:
    async with dashboard(server) as watching:
        yield watching
    await asyncio.to_thread(server.wait_idle)


async def ask(server: Server, *, stream: bool, **options: Any) -> str:
    """Ask and read to the end; return how it ended."""
    given = {"messages": HELLO, **ENDLESS, **options}
    client = server.async_client()
    try:
        answer = await client.chat.completions.create(stream=stream, **given)
        if stream:
            async for _ in answer:
                pass
    except openai.APIError as error:
        status = getattr(error, "status_code", "event")
        return f"{status} {json.dumps(error.body)}"
    return "answered"


async def row_of(server: Server, request_id: str) -> dict[str, Any]:
    """Return the one row of an ended request."""
    await asyncio.to_thread(server.count_rows)
    return server.rows()[request_id]


def facts(row: dict[str, Any]) -> tuple[Any, ...]:
    return row["outcome"], row["reason"], row["phase"], row["http_status"]


@pytest.mark.parametrize("stream", [True, False])
async def test_one_that_decodes(
    server: Server, staff: LiveSocket, stream: bool
) -> None:
    asking = asyncio.create_task(ask(server, stream=stream))
    request = await staff.until(
        lambda now: next((r for r in now["requests"] if r["tokens"] > 20), None)
    )
    assert await staff.cancel(request["id"])
    assert await asking == f"{'event' if stream else 499} {ERROR}"
    await asyncio.to_thread(server.wait_idle, SOON_S)
    row = await row_of(server, request["id"])
    assert facts(row) == ("cancelled", "cancelled_by_staff", "decode", 499)
    assert row["completion_tokens"] >= request["tokens"]
    assert (row["error"], row["admitted"]) == (SAID, 1)
    assert not await staff.cancel(request["id"])


async def test_one_over_a_websocket_which_stays_good_for_the_next(
    server: Server, staff: LiveSocket
) -> None:
    address = server.base_url.replace("http", "ws") + "/ws/chat"
    async with websockets.connect(address) as chat:
        await chat.send(json.dumps({"messages": HELLO, **ENDLESS}))
        request = await staff.request_in("decode")
        assert await staff.cancel(request["id"])
        while (message := json.loads(await chat.recv())).get("type") is None:
            pass
        assert message["type"] == "error"
        assert message["error"]["code"] == "cancelled_by_staff"
        assert message["request_id"] == request["id"]
        await chat.send(json.dumps({"messages": HELLO, "max_tokens": 3}))
        while (message := json.loads(await chat.recv())).get("type") is None:
            pass
        assert message["type"] == "done"
    row = await row_of(server, request["id"])
    assert facts(row) == ("cancelled", "cancelled_by_staff", "decode", 499)


async def test_one_whose_client_reads_nothing(
    server: Server, staff: LiveSocket
) -> None:
    narrow = socket.socket()
    narrow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    narrow.connect(("127.0.0.1", server.port))
    _, writer = await asyncio.open_connection(sock=narrow, limit=1024)
    writer.write(raw.post(server, {"messages": HELLO, "stream": True, **ENDLESS}))
    await writer.drain()

    def stalled(now: dict[str, Any]) -> dict[str, Any] | None:
        """Return the request once no token of it has been taken for a while."""
        made = [r for r in now["requests"] if r["tokens"]]
        return made[0] if made and not now["totals"]["tps"] else None

    request = await staff.until(stalled)
    assert await staff.cancel(request["id"])
    await asyncio.to_thread(server.wait_idle, SOON_S)
    row = await row_of(server, request["id"])
    assert facts(row) == ("cancelled", "cancelled_by_staff", "decode", 499)
    writer.close()


async def test_a_dashboard_is_told_to_go_when_the_server_ends(
    rambler_dir: Path, start_server: StartServer
) -> None:
    running = start_server(rambler_dir).wait_ready()
    async with dashboard(running) as watching:
        await watching.hear()
        stopping = asyncio.create_task(asyncio.to_thread(running.stop))
        with pytest.raises(websockets.ConnectionClosed) as closed:
            await watching.until(lambda _: False)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1001
        assert await stopping == 0
    assert "Traceback" not in running.output()
