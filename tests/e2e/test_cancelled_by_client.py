"""Who began a request takes it back, with the same key and no other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx
import openai
import pytest

from tests.e2e.servers import Server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ENDLESS: dict[str, Any] = {
    "model": "rambler",
    "messages": [{"role": "user", "content": "Hello"}],
    "stream": True,
    "temperature": 0,
    "max_tokens": 100_000,
}


@pytest.fixture(scope="module")
def server(
    rambler_dir: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """A model that never ends, behind a key."""
    data = tmp_path_factory.mktemp("cancelling") / "data"
    server = Server(data, rambler_dir, MLX_API_KEY="secret")
    yield server.wait_ready()
    server.kill()


def cancel(server: Server, request_id: str, key: str = "secret") -> httpx.Response:
    return httpx.post(
        f"{server.base_url}/v1/requests/{request_id}/cancel",
        headers={"Authorization": f"Bearer {key}"},
        timeout=60,
    )


@pytest.mark.parametrize("by", ["x-request-id", "the answer's id"])
def test_the_stream_ends_with_an_error_and_the_row_says_by_whom(
    server: Server, by: str
) -> None:
    before = server.count_rows()
    client = server.client(api_key="secret")
    raw = client.chat.completions.with_raw_response.create(**ENDLESS)
    request_id = raw.headers["x-request-id"]
    stream = iter(raw.parse())
    chunk = next(stream)
    done = cancel(server, request_id if by == "x-request-id" else chunk.id)
    assert done.json() == {
        "id": request_id,
        "object": "request.cancellation",
        "cancelled": True,
    }
    with pytest.raises(openai.APIError) as error:
        for _ in stream:
            pass
    assert error.value.code == "cancelled_by_client"
    rows = server.wait_rows(before + 2)
    row = rows[request_id]
    assert (row["outcome"], row["reason"]) == ("cancelled", "cancelled_by_client")
    assert row["error"] == "The request was cancelled with the key that began it."
    own = rows[done.headers["x-request-id"]]
    assert own["endpoint"] == "/v1/requests/{id}/cancel"
    assert (own["outcome"], own["kind"]) == ("finished", "")
    server.wait_idle()
    again = cancel(server, request_id)
    assert (again.status_code, again.json()["error"]["code"]) == (
        404,
        "request_not_found",
    )


def test_nobody_is_let_in_with_another_key(server: Server) -> None:
    assert cancel(server, "req-1", key="other").status_code == 401
