"""POST /v1/chat/completions when all goes well."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from urllib.parse import unquote

import pytest

from inference.core.outcomes import Outcome, RequestKind
from inference.core.requests import Delta
from tests.api.cast import ASK, HELLO, MODEL, USAGE, Client, House
from tests.api.stream_grammar import check_chunks, read_stream

MakeHouse = Callable[..., House]


async def test_it_answers_with_one_chat_completion(
    make_house: MakeHouse, client: Client
) -> None:
    house = make_house()
    reply = await client.ask(ASK)
    assert reply.status == 200
    assert reply.headers["content-type"] == "application/json"
    body = reply.json
    assert body.pop("created") > 1_700_000_000
    assert body == {
        "id": "chatcmpl-" + house.ledger.only_row.request_id.removeprefix("req-"),
        "object": "chat.completion",
        "model": MODEL,
        "system_fingerprint": f"mlx-server-/{MODEL}",
        "choices": [
            {
                "index": 0,
                "message": {
                    "role": "assistant",
                    "content": "Hello",
                    "refusal": None,
                },
                "logprobs": None,
                "finish_reason": "stop",
            }
        ],
        "usage": {
            "prompt_tokens": 7,
            "completion_tokens": 2,
            "total_tokens": 9,
            "prompt_tokens_details": {"cached_tokens": 3},
            "completion_tokens_details": {"reasoning_tokens": 0},
        },
    }


async def test_it_remembers_a_finished_request_in_one_row(
    make_house: MakeHouse, client: Client
) -> None:
    house = make_house()
    await client.ask(
        ASK | {"model": MODEL, "temperature": 0.5},
        user_agent="tests/1",
        x_client_request_id="mine-1",
    )
    row = house.ledger.only_row
    assert row.outcome is Outcome.FINISHED
    assert row.http_status == 200
    assert row.kind is RequestKind.TEXT
    assert row.endpoint == "/v1/chat/completions"
    assert (row.model_requested, row.model) == (MODEL, MODEL)
    assert (row.user_agent, row.client_request_id) == ("tests/1", "mine-1")
    assert row.client_host == "127.0.0.9"
    assert row.params == {"temperature": 0.5}
    assert row.completion_tokens == USAGE.completion_tokens
    assert house.ledger.started[0].outcome is Outcome.RUNNING


async def test_it_streams_chunks_that_fit_the_grammar(
    make_house: MakeHouse, client: Client
) -> None:
    house = make_house()
    reply = await client.ask(ASK | {"stream": True})
    assert reply.status == 200
    assert reply.headers["content-type"] == "text/event-stream"
    assert reply.headers["cache-control"] == "no-cache"
    stream = read_stream(reply.body)
    check_chunks(stream.chunks, with_usage=False)
    assert stream.text == "Hello"
    assert stream.is_done
    assert stream.comments == []
    row = house.ledger.only_row
    assert row.outcome is Outcome.FINISHED
    assert row.kind is RequestKind.TEXT_STREAM
    assert row.stream


async def test_it_streams_the_usage_last_when_asked(
    make_house: MakeHouse, client: Client
) -> None:
    make_house()
    options = {"stream": True, "stream_options": {"include_usage": True}}
    stream = read_stream((await client.ask(ASK | options)).body)
    check_chunks(stream.chunks, with_usage=True)
    assert stream.chunks[-1]["usage"]["total_tokens"] == USAGE.total_tokens
    assert stream.is_done


async def test_it_streams_an_answer_without_text(
    make_house: MakeHouse, client: Client
) -> None:
    make_house(Delta(finish_reason="length", usage=USAGE))
    stream = read_stream((await client.ask(ASK | {"stream": True})).body)
    check_chunks(stream.chunks, with_usage=False)
    assert stream.finish_reasons == ["length"]


async def test_it_streams_text_that_json_must_escape(
    make_house: MakeHouse, client: Client
) -> None:
    text = 'line\nbreak "quoted" \\ \u2028 \x00 data: [DONE]\n\n 😀'
    make_house(Delta(text), *HELLO[2:])
    stream = read_stream((await client.ask(ASK | {"stream": True})).body)
    assert stream.text == text


async def test_it_sends_each_token_before_the_next_is_made(
    make_house: MakeHouse, client: Client
) -> None:
    gate = asyncio.Event()
    make_house(Delta("Hel"), gate, *HELLO[1:])
    exchange = client.post(ASK | {"stream": True})
    start = await exchange.next()
    assert start["status"] == 200
    assert b'"content":"Hel"' in await exchange.next_body()
    assert exchange.outbox.empty()
    gate.set()
    assert b'"content":"lo"' in await exchange.next_body()
    await exchange.leave()


async def test_it_names_the_parameters_it_ignored_in_a_header(
    make_house: MakeHouse, client: Client
) -> None:
    house = make_house()
    reply = await client.ask(ASK | {"mirostat": 1.1, "x\r\ny": 1})
    assert reply.status == 200
    assert reply.headers["x-ignored-params"] == "mirostat,x%0D%0Ay"
    assert house.ledger.only_row.params["ignored"] == ["mirostat", "x\r\ny"]


async def test_that_header_is_never_longer_than_a_proxy_takes(
    make_house: MakeHouse, client: Client
) -> None:
    house = make_house()
    unknown = {f"{number:02}" + "\U0001f600" * 62: 1 for number in range(50)}
    reply = await client.ask(ASK | unknown)
    names = reply.headers["x-ignored-params"].split(",")
    assert 1 < len(names) < 20
    assert {len(unquote(name)) for name in names} == {64}
    assert len(reply.headers["x-ignored-params"]) <= 2048
    assert len(house.ledger.only_row.params["ignored"]) == 20


@pytest.mark.parametrize("stream", [False, True])
async def test_its_header_names_what_means_nothing_to_the_model(
    make_house: MakeHouse, client: Client, stream: bool
) -> None:
    house = make_house()
    house.service.ignored = ("reasoning_effort",)
    asked = {"mirostat": 1, "reasoning_effort": "xhigh", "stream": stream}
    reply = await client.ask(ASK | asked)
    assert reply.status == 200
    assert reply.headers["x-ignored-params"] == "mirostat,reasoning_effort"
    ignored = house.ledger.only_row.params["ignored"]
    assert ignored == ["mirostat", "reasoning_effort"]


async def test_it_refuses_what_nobody_knows_where_it_is_strict(
    make_house: MakeHouse, client: Client
) -> None:
    house = make_house(strict_params=True)
    reply = await client.ask(ASK | {"mirostat": 1.1, "typical_p": 1})
    assert (reply.status, reply.error["code"]) == (400, "unknown_parameter")
    assert "'mirostat', 'typical_p'" in reply.error["message"]
    assert house.ledger.only_row.reason == "unknown_parameter"
    assert house.service.requests == []


async def test_it_sends_no_such_header_when_nothing_was_ignored(
    make_house: MakeHouse, client: Client
) -> None:
    make_house()
    assert "x-ignored-params" not in (await client.ask(ASK)).headers


async def test_it_gives_every_request_an_id_of_its_own(
    make_house: MakeHouse, client: Client
) -> None:
    house = make_house()
    replies = [await client.ask(ASK, x_client_request_id="same") for _ in range(5)]
    ids = [reply.headers["x-request-id"] for reply in replies]
    assert len(set(ids)) == 5
    assert ids == [row.request_id for row in house.ledger.finished]


async def test_it_reads_a_chunked_body(make_house: MakeHouse, client: Client) -> None:
    house = make_house()
    raw = b'{"messages": [{"role": "user", "content": "in pieces"}]}'
    pieces = [raw[i : i + 5] for i in range(0, len(raw), 5)]
    exchange = client.open(
        "POST",
        "/v1/chat/completions",
        body=pieces,
        headers={
            "content-type": "application/json",
            "transfer-encoding": "chunked",
        },
    )
    assert (await exchange.reply()).status == 200
    assert house.service.requests[0].messages[0].text == "in pieces"


async def test_it_reads_a_body_large_enough_for_a_thread(
    make_house: MakeHouse, client: Client
) -> None:
    house = make_house()
    text = "wörd " * 200_000
    reply = await client.ask({"messages": [{"role": "user", "content": text}]})
    assert reply.status == 200
    assert house.service.requests[0].messages[0].text == text
