"""OpenAI's own client, over the ASGI application instead of a socket."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx2
import openai
import pytest

from inference.core.errors import QueueFullError
from inference.core.requests import Delta, ToolCallDelta
from tests.api.cast import ASK, MODEL, USAGE, Client, House

MakeHouse = Callable[..., House]
MESSAGES = ASK["messages"]


@pytest.fixture
async def sdk(client: Client) -> AsyncIterator[openai.AsyncOpenAI]:
    transport = httpx2.ASGITransport(app=client.application)  # type: ignore[arg-type]
    async with openai.AsyncOpenAI(
        api_key="sesame",
        base_url="http://testserver/v1",
        max_retries=0,
        http_client=httpx2.AsyncClient(transport=transport),
    ) as sdk:
        yield sdk


async def test_it_answers_the_sdk(
    make_house: MakeHouse, sdk: openai.AsyncOpenAI
) -> None:
    house = make_house(key="sesame")
    answer = await sdk.chat.completions.create(model=MODEL, messages=MESSAGES)
    assert answer.choices[0].message.content == "Hello"
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage is not None
    assert answer.usage.total_tokens == 9
    assert answer._request_id == house.ledger.only_row.request_id


async def test_it_streams_to_the_sdk(
    make_house: MakeHouse, sdk: openai.AsyncOpenAI
) -> None:
    make_house()
    stream = await sdk.chat.completions.create(
        model=MODEL,
        messages=MESSAGES,
        stream=True,
        stream_options={"include_usage": True},
    )
    chunks = [chunk async for chunk in stream]
    text = "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
    assert text == "Hello"
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.completion_tokens == 2


async def test_it_takes_an_assistant_message_of_the_sdk_back(
    make_house: MakeHouse, sdk: openai.AsyncOpenAI
) -> None:
    house = make_house()
    answer = await sdk.chat.completions.create(model=MODEL, messages=MESSAGES)
    said = answer.choices[0].message.model_dump()
    again = [*MESSAGES, said, {"role": "user", "content": "And?"}]
    await sdk.chat.completions.create(model=MODEL, messages=again)
    assert [m.text for m in house.service.requests[1].messages] == [
        "Hi",
        "Hello",
        "And?",
    ]
    assert all("ignored" not in row.params for row in house.ledger.finished)


async def test_it_streams_calls_to_the_sdk_and_takes_them_back(
    make_house: MakeHouse, sdk: openai.AsyncOpenAI
) -> None:
    house = make_house(
        Delta(reasoning="Weather?"),
        Delta(tool_calls=(ToolCallDelta(0, "c1", "weather", '{"city":'),)),
        Delta(tool_calls=(ToolCallDelta(0, arguments='"Rome"}'),)),
        Delta(finish_reason="tool_calls", usage=USAGE),
    )
    tool: Any = {"type": "function", "function": {"name": "weather"}}
    async with sdk.chat.completions.stream(
        model=MODEL, messages=MESSAGES, tools=[tool]
    ) as stream:
        answer = await stream.get_final_completion()
    said = answer.choices[0].message
    assert said.tool_calls is not None
    (call,) = said.tool_calls
    assert (call.id, call.function.arguments) == ("c1", '{"city":"Rome"}')
    spoken: Any = said.model_dump()
    result: Any = {"role": "tool", "tool_call_id": "c1", "content": "20 °C"}
    again = await sdk.chat.completions.create(
        model=MODEL,
        messages=[*MESSAGES, spoken, result],
        tools=[tool],
        logprobs=True,
    )
    assert again.choices[0].finish_reason == "tool_calls"
    assert house.service.requests[1].messages[1].tool_calls[0].name == "weather"
    assert house.service.requests[1].messages[1].reasoning == "Weather?"


async def test_the_sdks_stream_helper_takes_calls_that_were_read_at_once(
    make_house: MakeHouse, sdk: openai.AsyncOpenAI
) -> None:
    pieces = (
        ToolCallDelta(0, "c1", "weather", ""),
        ToolCallDelta(0, arguments='{"city":"Rome"}'),
        ToolCallDelta(1, "c2", "weather", '{"city":"Bern"}'),
    )
    make_house(Delta(tool_calls=pieces, finish_reason="tool_calls", usage=USAGE))
    tool: Any = {"type": "function", "function": {"name": "weather"}}
    async with sdk.chat.completions.stream(
        model=MODEL, messages=MESSAGES, tools=[tool]
    ) as stream:
        done = [
            (event.index, event.name, event.arguments)
            async for event in stream
            if event.type == "tool_calls.function.arguments.done"
        ]
        answer = await stream.get_final_completion()
    calls = answer.choices[0].message.tool_calls or []
    assert [call.id for call in calls] == ["c1", "c2"]
    assert done == [
        (0, "weather", '{"city":"Rome"}'),
        (1, "weather", '{"city":"Bern"}'),
    ]


async def test_it_raises_the_sdks_own_errors(
    make_house: MakeHouse, sdk: openai.AsyncOpenAI
) -> None:
    house = make_house(QueueFullError("Full."), key="sesame")
    with pytest.raises(openai.RateLimitError) as full:
        await sdk.chat.completions.create(model=MODEL, messages=MESSAGES)
    assert full.value.code == "queue_full"
    with pytest.raises(openai.NotFoundError):
        await sdk.models.retrieve("org/other")
    with pytest.raises(openai.BadRequestError) as bad:
        await sdk.chat.completions.create(model=MODEL, messages=MESSAGES, n=0)
    assert bad.value.param == "n"
    assert bad.value.request_id == house.ledger.finished[-1].request_id
    with pytest.raises(openai.AuthenticationError):
        await sdk.with_options(api_key="wrong").models.list()


async def test_it_shows_the_sdk_its_models(
    make_house: MakeHouse, sdk: openai.AsyncOpenAI
) -> None:
    make_house()
    assert [model.id async for model in sdk.models.list()] == [MODEL]
    assert (await sdk.models.retrieve(MODEL)).owned_by == "mlx-server"
