"""An app in a browser's clothes talks to a real server: case 15 of the shared cases."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.conftest import StartServer
    from tests.e2e.servers import Server

APP = "app://obsidian.md"
BODY = {"messages": [{"role": "user", "content": "hi"}], "max_tokens": 3}


def preflight(server: Server, origin: str) -> httpx.Response:
    headers = {"Origin": origin, "Access-Control-Request-Method": "POST"}
    return httpx.options(f"{server.base_url}/v1/chat/completions", headers=headers)


def ask(server: Server, origin: str) -> httpx.Response:
    url = f"{server.base_url}/v1/chat/completions"
    return httpx.post(url, json=BODY, headers={"Origin": origin}, timeout=60)


def test_the_app_that_is_named_is_answered_and_no_other(
    start_server: StartServer, tiny_model_dir: Path
) -> None:
    server = start_server(tiny_model_dir, CORS_ORIGINS=APP).wait_ready()
    assert preflight(server, APP).status_code == 204
    answer = ask(server, APP)
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == APP
    assert answer.json()["choices"][0]["finish_reason"] == "length"

    other = ask(server, "http://localhost:3000")
    assert not [name for name in other.headers if name.startswith("access-control")]
    refused = ask(server, "https://evil.example")
    assert refused.status_code == 403
    assert "CORS_ORIGINS" in refused.json()["error"]["message"]
    row = server.wait_rows(3)[refused.headers["x-request-id"]]
    assert (row["outcome"], row["reason"]) == ("rejected", "cross_site_request")
