"""The load generator reads what any OpenAI-compatible server may write."""

from __future__ import annotations

import asyncio

import pytest

from inference.client.load import closed_loop
from inference.client.wire import ChatConnection, RequestFailedError
from tests.e2e.wire_servers import SPACED, TIGHT, answering, chunked
from tests.ports import kept_port

OLD = b"HTTP/1.0 200 OK\r\nContent-type: text/event-stream\r\n\r\n"
NEW = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
BODY = {"model": "m", "messages": []}


async def test_it_reads_a_server_that_closes_after_each_answer() -> None:
    async with answering(OLD, *SPACED, closes=True) as (url, connections):
        connection = ChatConnection(url)
        first = await connection.stream_chat(BODY)
        again = await connection.stream_chat(BODY)
        assert len(connections) == 2
    assert (first.prompt_tokens, first.completion_tokens) == (9, 2)
    assert first.cached_tokens == 4
    assert first.finish_reason == again.finish_reason == "length"
    assert len(first.gaps_s) == 1
    assert 0 < first.ttft_s <= first.total_s


@pytest.mark.parametrize("size", [1, 7, 100, 100_000])
async def test_it_keeps_a_connection_and_reads_chunks_cut_anywhere(size: int) -> None:
    pieces = chunked(TIGHT, size=size)
    async with answering(NEW, *pieces, closes=False) as (url, connections):
        connection = ChatConnection(url)
        answers = [await connection.stream_chat(BODY) for _ in range(3)]
        connection.close()
        assert len(connections) == 1
    # No usage was told: a chunk with text is a token.
    assert [a.completion_tokens for a in answers] == [2, 2, 2]
    assert {a.finish_reason for a in answers} == {"stop"}


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (
            b"HTTP/1.1 404 Not Found\r\nContent-Length: 41\r\n\r\n"
            b'{"error": {"message": "no such\\nmodel"}}\n\n',
            "404: no such model",
        ),
        (b'HTTP/1.0 500 Oh\r\n\r\n{"error": "the model\'s own words"}', "500: the mod"),
        (b"HTTP/1.0 502 Bad\r\n\r\n<html>\n<b>proxy</b>", "502: <html> <b>proxy</b>"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "no HTTP answer but b'SSH-2.0"),
        (b"", "no answer came"),
        (OLD + b"".join(SPACED[:3]), "the stream broke off after: "),
        (NEW + chunked(SPACED, size=30)[0], "the stream broke off after: "),
        (OLD + b'data: {"error": {"message": "worker died"}}\n\n', "worker died"),
        (OLD + b'data: {"usage": {"a\n\ndata: [DONE]\n\n', "nobody can read"),
    ],
)
async def test_what_goes_wrong_is_one_line(answer: bytes, words: str) -> None:
    async with answering(answer, closes=True) as (url, _):
        with pytest.raises(RequestFailedError) as caught:
            await ChatConnection(url).stream_chat(BODY)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


async def test_a_silent_server_costs_no_more_than_the_timeout() -> None:
    async with answering(OLD, closes=False) as (url, _):
        result = await asyncio.wait_for(
            closed_loop(url, [BODY] * 3, concurrency=3, timeout_s=0.2), 10
        )
    assert result.answers == ()
    assert result.errors == ("no whole answer within 0.2 s",) * 3


async def test_each_end_is_told_also_of_those_that_fail() -> None:
    ended: list[None] = []
    with kept_port() as port:
        result = await closed_loop(
            f"http://127.0.0.1:{port}/v1",
            [BODY] * 5,
            concurrency=2,
            on_end=lambda: ended.append(None),
        )
    assert len(ended) == 5
    assert set(result.errors) == {"nobody answers there"}
