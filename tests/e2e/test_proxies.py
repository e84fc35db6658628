"""Behind a proxy each client is itself: in its row, and for its share of places."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import httpx
import pytest
import websockets

from tests.e2e.raw import answer_to, connect, head, parsed, post
from tests.e2e.servers import Server, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HELLO = {"messages": [{"role": "user", "content": "Hello"}], "max_tokens": 4}
GREEDY, MODEST = "203.0.113.7", "203.0.113.8"

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def server(
    rambler_dir: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """A server behind a proxy on its machine, with three places for each client."""
    data_dir = tmp_path_factory.mktemp("proxies") / "data"
    running = Server(
        data_dir, rambler_dir, TRUSTED_PROXIES="127.0.0.1", CONNECTIONS_PER_CLIENT="3"
    )
    yield running.wait_ready()
    running.kill()


def asked_by(server: Server, client: str) -> bytes:
    return post(server, HELLO, X_Forwarded_For=client, Connection="close")


def clients(server: Server) -> list[str]:
    server.count_rows()
    return [str(row["client_host"]) for row in server.rows().values()]


async def test_a_row_names_the_client_that_the_proxy_heard(server: Server) -> None:
    status, _ = await answer_to(server, asked_by(server, f"9.9.9.9, {GREEDY}"))

    assert status == 200
    assert clients(server)[-1] == GREEDY


async def test_one_client_s_share_is_its_own_and_not_the_proxy_s(
    server: Server,
) -> None:
    # The proxy holds more connections than a client may, and asks nothing.
    idle = [await connect(server) for _ in range(8)]
    address = f"ws://127.0.0.1:{server.port}/ws/chat"
    said = {"X-Forwarded-For": GREEDY}
    held = [
        await websockets.connect(address, additional_headers=said) for _ in range(3)
    ]

    status, body = await answer_to(server, asked_by(server, GREEDY))
    assert (status, body["error"]["code"]) == (429, "too_many_connections")
    assert clients(server)[-1] == GREEDY
    status, _ = await answer_to(server, asked_by(server, MODEST))
    assert status == 200

    await asyncio.gather(*(socket.close() for socket in held))

    def is_let_in_again() -> bool:
        return asyncio.run(answer_to(server, asked_by(server, GREEDY)))[0] == 200

    await asyncio.to_thread(wait_until, is_let_in_again, "a free place")
    for _, writer in idle:
        writer.close()


async def test_connections_that_a_proxy_keeps_count_for_nobody_between_requests(
    server: Server,
) -> None:
    payload = post(server, HELLO, X_Forwarded_For=GREEDY)
    kept = []
    for _ in range(5):
        reader, writer = await connect(server)
        writer.write(payload)
        answer = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 60)
        assert parsed(answer)[0] == 200
        kept.append((reader, writer))
        await asyncio.to_thread(server.wait_idle, 60)
    for _, writer in kept:
        writer.close()


async def test_a_refusal_before_the_application_names_the_client_too(
    server: Server,
) -> None:
    status, _ = await answer_to(server, head(server, 200 << 20, X_Forwarded_For=MODEST))

    assert status == 413
    assert clients(server)[-1] == MODEST


async def test_without_a_proxy_that_is_believed_nobody_chooses_an_address(
    rambler_server: Server,
) -> None:
    status, _ = await answer_to(rambler_server, asked_by(rambler_server, GREEDY))

    assert status == 200
    assert clients(rambler_server)[-1] == "127.0.0.1"


@pytest.mark.parametrize("header", ["X_Forwarded_For", "Forwarded", "X_Real_IP"])
async def test_whom_a_stranger_s_proxy_speaks_for_is_not_this_machine(
    rambler_server: Server, header: str
) -> None:
    asked = {"model": "nobody/nothing"}
    path, sent = "/v1/models/load", {header: GREEDY, "Connection": "close"}
    status, body = await answer_to(
        rambler_server, post(rambler_server, asked, path=path, **sent)
    )

    assert (status, body["error"]["code"]) == (403, "download_not_allowed")
    rambler_server.count_rows()
    assert list(rambler_server.rows().values())[-1]["reason"] == "download_not_allowed"


def log_in(server: Server, client: str, password: str) -> int:
    """Return the status of an attempt to log in to the admin, as a browser makes it."""
    address, headers = f"{server.base_url}/admin/login/", {"X-Forwarded-For": client}
    with httpx.Client(headers=headers, timeout=60) as browser:
        browser.get(address)
        said = {
            "username": "admin",
            "password": password,
            "csrfmiddlewaretoken": browser.cookies["csrftoken"],
        }
        return browser.post(address, data=said).status_code


def test_who_guesses_passwords_is_refused_and_told_of_and_others_log_in(
    server: Server,
) -> None:
    def guess_until_refused() -> bool:
        return log_in(server, GREEDY, "wrong") == 429

    wait_until(guess_until_refused, "a refusal")
    assert log_in(server, MODEST, server.password()) == 302

    def told() -> list[dict[str, object]]:
        return [e for e in server.events() if e["kind"] == "login_failed"]

    wait_until(told, "the event")
    assert all(GREEDY in str(event["detail"]) for event in told())
    assert all(MODEST not in str(event["data"]) for event in told())
    assert "wrong" not in str(told())
