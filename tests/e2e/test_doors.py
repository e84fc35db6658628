"""Who gets in and how much they may bring; everybody else ends as they should."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

import httpx
import openai
import pytest
import websockets

from tests.e2e.raw import answer_to, connect, head, parsed, post
from tests.e2e.servers import Server, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.e2e.conftest import StartServer

HELLO = {"messages": [{"role": "user", "content": "Hello"}], "max_tokens": 4}
ENDLESS = {
    "messages": HELLO["messages"],
    "temperature": 0,
    "max_tokens": 100_000,
    "stream": True,
}
MIB = 1024 * 1024

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def server(
    rambler_dir: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """A server that gives slow clients little time."""
    running = Server(
        tmp_path_factory.mktemp("doors") / "data",
        rambler_dir,
        READ_DEADLINE="1.5",
        STALL_TIMEOUT="1.5",
    )
    yield running.wait_ready()
    running.kill()


def last_row(server: Server) -> dict[str, object]:
    server.count_rows()
    return list(server.rows().values())[-1]


async def test_it_refuses_an_announced_body_before_it_is_sent(server: Server) -> None:
    status, body = await answer_to(server, head(server, 200 * MIB))
    assert (status, body["error"]["code"]) == (413, "request_too_large")
    row = last_row(server)
    assert (row["outcome"], row["reason"], row["http_status"]) == (
        "invalid",
        "request_too_large",
        413,
    )
    assert row["endpoint"] == "/v1/chat/completions"


async def test_it_refuses_a_chunked_body_once_it_is_too_large_and_keeps_nothing(
    rambler_server: Server,
) -> None:
    # One that gives it the time to become too large.
    before = rambler_server.resident_bytes()
    reader, writer = await connect(rambler_server)
    writer.write(head(rambler_server, None))
    chunk = b"100000\r\n" + b" " * MIB + b"\r\n"
    with contextlib.suppress(ConnectionError):
        for _ in range(200):
            writer.write(chunk)
            await writer.drain()
    with contextlib.suppress(ConnectionError):
        status, body = parsed(await reader.read(65536))
        assert (status, body["error"]["code"]) == (413, "request_too_large")
    writer.close()
    assert last_row(rambler_server)["reason"] == "request_too_large"
    assert rambler_server.resident_bytes() - before < 60 * MIB


async def test_it_cuts_off_a_body_that_comes_a_byte_a_second(server: Server) -> None:
    reader, writer = await connect(server)
    writer.write(head(server, 1000) + b"{")

    async def trickle() -> None:
        while True:
            writer.write(b" ")
            await asyncio.sleep(0.2)

    drip = asyncio.create_task(trickle())
    status, body = parsed(await asyncio.wait_for(reader.read(65536), 60))
    drip.cancel()
    assert (status, body["error"]["code"]) == (408, "read_deadline")
    row = last_row(server)
    assert (row["outcome"], row["reason"]) == ("timed_out", "read_deadline")


async def test_it_cuts_off_headers_that_never_end(server: Server) -> None:
    reader, writer = await connect(server)
    writer.write(b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nX-A: ")
    answer = await asyncio.wait_for(reader.read(65536), 60)
    assert answer == b"" or parsed(answer)[0] == 408


async def test_it_gives_up_a_client_that_reads_nothing(server: Server) -> None:
    before = server.count_rows()
    _, writer = await connect(server)
    sock = writer.get_extra_info("socket")
    writer.transport.pause_reading()  # type: ignore[attr-defined]
    sock.setsockopt(__import__("socket").SOL_SOCKET, 8, 4096)
    long = ENDLESS | {"stop": ["\x00never"]}
    writer.write(post(server, long))

    def is_active() -> bool:
        return server.get("/v1/queue/stats")["queue_stats"]["active_requests"] == 1

    await asyncio.to_thread(wait_until, is_active, "the stream")
    await asyncio.to_thread(server.wait_idle, 60)
    writer.close()
    server.wait_rows(before + 1)
    row = last_row(server)
    assert (row["outcome"], row["reason"]) == ("cancelled", "client_too_slow")


async def test_it_serves_others_while_sixty_four_connections_dawdle(
    server: Server,
) -> None:
    dawdlers = []
    for _ in range(64):
        reader, writer = await connect(server)
        writer.write(head(server, 1000))
        dawdlers.append((reader, writer))
    answer = await server.async_client().chat.completions.create(
        model="rambler", **HELLO
    )
    assert answer.usage is not None
    ends = await asyncio.gather(*(reader.read(65536) for reader, _ in dawdlers))
    assert {parsed(end)[0] for end in ends} == {408}
    for _, writer in dawdlers:
        writer.close()


async def test_it_refuses_one_client_more_connections_than_its_share(
    rambler_server: Server,
) -> None:
    # Which of them is one too many depends on the order they are accepted in. Few at a
    # time: beyond its backlog the kernel lets a connection wait for seconds.
    held = []
    for few in (*[32] * 8, 1):
        held += await asyncio.gather(*(connect(rambler_server) for _ in range(few)))
    reads = [asyncio.create_task(reader.read(65536)) for reader, _ in held]
    done, _ = await asyncio.wait(reads, timeout=60, return_when=asyncio.FIRST_COMPLETED)
    answers = [parsed(read.result()) for read in done]
    assert [(status, body["error"]["code"]) for status, body in answers] == [
        (429, "too_many_connections")
    ]
    for read in reads:
        read.cancel()
    for _, writer in held:
        writer.close()

    def is_answering() -> bool:
        with contextlib.suppress(OSError, ValueError):
            return bool(rambler_server.get("/health"))
        return False

    await asyncio.to_thread(wait_until, is_answering, "a free place")


async def test_it_refuses_a_foreign_host_on_every_path(server: Server) -> None:
    async with httpx.AsyncClient(headers={"host": "evil.example"}) as client:
        for path in ("/v1/models", "/admin/login/", "/health"):
            answer = await client.get(server.base_url + path)
            assert answer.status_code == 400
            assert answer.json()["error"]["code"] == "invalid_host"
    with pytest.raises(websockets.InvalidStatus):
        await websockets.connect(
            f"ws://127.0.0.1:{server.port}/ws/chat",
            additional_headers={"Host": "evil.example"},
        )


async def test_it_keeps_a_row_of_a_post_to_a_foreign_host(
    rambler_server: Server,
) -> None:
    data = post(rambler_server, HELLO, host="evil.example", Connection="close")
    status, body = await answer_to(rambler_server, data)
    assert (status, body["error"]["code"]) == (400, "invalid_host")
    assert last_row(rambler_server)["reason"] == "invalid_host"


async def test_it_refuses_other_websocket_paths_without_a_traceback(
    rambler_server: Server,
) -> None:
    with pytest.raises(websockets.InvalidStatus) as refusal:
        await websockets.connect(f"ws://127.0.0.1:{rambler_server.port}/ws/chat/")
    assert refusal.value.response.status_code == 403
    assert "Traceback" not in rambler_server.output()


@pytest.mark.parametrize(
    "path",
    [
        "%2e%2e/%2e%2e/etc/passwd",
        "/etc/passwd",
        "..%2f%1b]0;owned%07%0d%0a2026-01-01 INFO mlx_server all is well".replace(
            " ", "%20"
        ),
        "a%00b",
        "a" * 4000,
    ],
)
async def test_a_path_out_of_the_static_folder_is_a_404_that_forges_no_line(
    rambler_server: Server, path: str
) -> None:
    reader, writer = await connect(rambler_server)
    writer.write(
        f"GET /static/{path} HTTP/1.1\r\nHost: localhost\r\n"
        "Connection: close\r\n\r\n".encode()
    )
    status, _ = parsed(await reader.read(-1))
    writer.close()

    assert status == 404
    told = rambler_server.output()
    assert "Traceback" not in told
    assert "all is well" not in told
    assert not {"\x1b", "\a"} & set(told)


async def test_it_closes_a_websocket_that_sends_bytes_without_a_traceback(
    rambler_server: Server,
) -> None:
    address = f"ws://127.0.0.1:{rambler_server.port}/ws/chat"
    async with websockets.connect(address) as socket:
        await socket.send(b"{}")
        assert "Binary" in str(await socket.recv())
        await socket.wait_closed()
    assert socket.close_code == 4003
    assert "Traceback" not in rambler_server.output()


def frame(first: int, payload: bytes, length: int | None = None) -> bytes:
    """Return a masked frame; `length` may announce more than there is."""
    size = len(payload) if length is None else length
    if size < 126:
        return bytes([first, 0x80 | size]) + bytes(4) + payload
    return bytes([first, 0x80 | 127]) + size.to_bytes(8, "big") + bytes(4) + payload


@pytest.mark.parametrize(
    ("data", "code", "reason"),
    [
        (frame(0x83, b"?"), 1002, "websocket_protocol_error"),
        (frame(0x81, b"\xff\xfe"), 1007, "invalid_payload"),
        (frame(0x81, b"{", 64 * MIB), 1009, "message_too_large"),
    ],
)
async def test_a_broken_websocket_is_closed_with_its_code_and_leaves_a_row(
    rambler_server: Server, data: bytes, code: int, reason: str
) -> None:
    before = rambler_server.count_rows()
    address = f"ws://127.0.0.1:{rambler_server.port}/ws/chat"
    async with websockets.connect(address) as socket:
        socket.transport.write(data)
        await asyncio.wait_for(socket.wait_closed(), 30)
    assert socket.close_code == code
    row = list(rambler_server.wait_rows(before + 1).values())[-1]
    assert (row["outcome"], row["reason"], row["endpoint"]) == (
        "invalid",
        reason,
        "/ws/chat",
    )
    assert row["client_host"] == "127.0.0.1"


async def test_it_names_an_encoding_that_it_does_not_read(
    rambler_server: Server,
) -> None:
    data = post(rambler_server, HELLO, Content_Encoding="gzip", Connection="close")
    status, body = await answer_to(rambler_server, data)
    assert (status, body["error"]["code"]) == (415, "unsupported_media_type")


async def test_it_refuses_pages_of_other_sites(rambler_server: Server) -> None:
    with pytest.raises(websockets.InvalidStatus):
        await websockets.connect(
            f"ws://127.0.0.1:{rambler_server.port}/ws/chat",
            origin="http://evil.example",
        )
    status, body = await answer_to(
        rambler_server,
        post(rambler_server, HELLO, Origin="http://evil.example", Connection="close"),
    )
    assert (status, body["error"]["code"]) == (403, "cross_site_request")
    status, _ = await answer_to(
        rambler_server,
        post(rambler_server, HELLO, Sec_Fetch_Site="cross-site", Connection="close"),
    )
    assert status == 403
    assert last_row(rambler_server)["outcome"] == "rejected"


async def test_it_lets_strangers_fill_only_so_many_rows(
    start_server: StartServer, tiny_model_dir: Path
) -> None:
    server = start_server(tiny_model_dir, MLX_API_KEY="right").wait_ready()
    async with httpx.AsyncClient(base_url=server.base_url) as client:
        answers = [
            await client.post("/v1/chat/completions", json=HELLO) for _ in range(100)
        ]
    assert {answer.status_code for answer in answers} == {401}
    assert 60 <= len(server.wait_rows(60)) <= 120
    right = server.client(api_key="right").chat.completions.create(
        model="tiny-qwen2-vl", **HELLO
    )
    assert right.usage is not None
    with pytest.raises(openai.AuthenticationError):
        server.client(api_key="wrong").models.list()


def test_it_refuses_a_key_that_no_client_can_send(
    start_server: StartServer, tiny_model_dir: Path
) -> None:
    server = start_server(tiny_model_dir, MLX_API_KEY="schl\u00fcssel")
    assert server.process.wait(60) == 2
    server.stop()
    assert "MLX_API_KEY" in server.output()


def test_it_refuses_to_listen_to_a_network_without_a_key(
    start_server: StartServer, tiny_model_dir: Path
) -> None:
    server = start_server(tiny_model_dir, "--host", "0.0.0.0")
    assert server.process.wait(60) == 2
    server.stop()
    assert "MLX_API_KEY" in server.output()
    assert "Traceback" not in server.output()
