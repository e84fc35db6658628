"""The load generator against a real server: right counts over kept connections."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inference.client.load import closed_loop

if TYPE_CHECKING:
    from tests.e2e.servers import Server

COUNT = {"messages": [{"role": "user", "content": "Count to twenty."}]}


async def test_it_counts_every_token_of_a_closed_loop(tiny_server: Server) -> None:
    result = await closed_loop(
        f"{tiny_server.base_url}/v1", [COUNT] * 12, concurrency=4
    )
    assert result.errors == ()
    assert [a.completion_tokens for a in result.answers] == [21] * 12
    assert {a.finish_reason for a in result.answers} == {"stop"}
    assert result.tokens == 252
    assert 0 < result.median_ttft_s < result.wall_s


async def test_it_reports_what_was_refused_and_goes_on(tiny_server: Server) -> None:
    bodies = [COUNT, COUNT | {"temperature": 9}, COUNT]
    result = await closed_loop(f"{tiny_server.base_url}/v1", bodies, concurrency=1)
    assert len(result.answers) == 2
    assert len(result.errors) == 1
    assert "temperature" in result.errors[0]
