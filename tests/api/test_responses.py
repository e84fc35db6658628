"""Responses through OpenAI's own client: turns, streams, tools, what is kept, errors."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import httpx2
import openai
import pydantic
import pytest
from openai.types.responses import ResponseItem

from inference.core.errors import (
    ContextLengthExceededError,
    GenerationError,
    QueueFullError,
)
from inference.core.requests import Delta, ToolCallDelta
from inference.core.stored import StoredConversation
from inference.faces.responses.keeping import NOT_ADDED, NOTHING_KEPT
from tests.api.cast import HELLO, MODEL, USAGE, Client, House
from tests.api.kept_responses import KeptResponses

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    MakeHouse = Callable[..., House]

PATH = "/v1/responses"
WEATHER: Any = {
    "type": "function",
    "name": "weather",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
    "strict": False,
}
CALL = (
    Delta(reasoning="Weather?"),
    Delta(tool_calls=(ToolCallDelta(0, "c1", "weather", '{"city":'),)),
    Delta(tool_calls=(ToolCallDelta(0, arguments='"Rome"}'),)),
    Delta(finish_reason="tool_calls", usage=USAGE),
)


@pytest.fixture
def kept() -> KeptResponses:
    return KeptResponses()


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


def texts(house: House, turn: int = -1) -> list[str]:
    """Return what each message of a prompt says."""
    return [message.text for message in house.service.requests[turn].messages]


async def test_it_answers_the_sdk_and_leaves_its_row(
    make_house: MakeHouse, sdk: openai.AsyncOpenAI
) -> None:
    house = make_house(key="sesame")
    answer = await sdk.responses.create(model=MODEL, input="Hi", user="ann")
    assert (answer.output_text, answer.status) == ("Hello", "completed")
    assert answer.usage is not None
    assert answer.usage.input_tokens_details.cached_tokens == 3
    row = house.ledger.only_row
    assert answer.id == f"resp_{row.request_id.removeprefix('req-')}"
    assert (row.endpoint, row.user, row.outcome) == (PATH, "ann", "finished")


async def test_a_stream_tells_the_same_as_the_whole(
    make_house: MakeHouse, sdk: openai.AsyncOpenAI
) -> None:
    make_house(*CALL)
    whole = await sdk.responses.create(model=MODEL, input="Hi", tools=[WEATHER])
    async with sdk.responses.stream(model=MODEL, input="Hi", tools=[WEATHER]) as stream:
        kinds = [event.type async for event in stream]
        told = await stream.get_final_response()
    assert kinds[:2] == ["response.created", "response.in_progress"]
    assert kinds[-1] == "response.completed"
    thought, call = told.output
    assert (thought.type, call.type) == ("reasoning", "function_call")
    assert json.loads(call.arguments) == {"city": "Rome"}
    assert [item.type for item in whole.output] == ["reasoning", "function_call"]
    assert whole.output[1].arguments == call.arguments  # type: ignore[union-attr]


async def test_a_tool_loop_of_two_turns_carries_everything_back(
    make_house: MakeHouse, sdk: openai.AsyncOpenAI
) -> None:
    house = make_house(*CALL)
    asked: list[Any] = [{"role": "user", "content": "Weather in Rome?"}]
    include: Any = ["reasoning.encrypted_content"]
    first = await sdk.responses.create(
        model=MODEL, input=asked, tools=[WEATHER], store=False, include=include
    )
    asked += [item.model_dump() for item in first.output]
    asked.append({"type": "function_call_output", "call_id": "c1", "output": "20 °C"})
    house.service.steps = HELLO
    second = await sdk.responses.create(
        model=MODEL, input=asked, tools=[WEATHER], store=False
    )
    assert second.output_text == "Hello"
    _, turn, result = house.service.requests[1].messages
    assert (turn.reasoning, turn.tool_calls[0].name) == ("Weather?", "weather")
    assert (result.tool_call_id, result.text) == ("c1", "20 °C")
    asked += [item.model_dump() for item in second.output]
    asked.append({"role": "user", "content": "And tomorrow?"})
    await sdk.responses.create(model=MODEL, input=asked, store=False)
    assert texts(house)[-2:] == ["Hello", "And tomorrow?"]
    assert all("ignored" not in row.params for row in house.ledger.finished)


async def test_parse_reads_a_model_of_pydantics(
    make_house: MakeHouse, sdk: openai.AsyncOpenAI
) -> None:
    class City(pydantic.BaseModel):
        name: str
        height_m: int

    text = '{"name": "Zürich", "height_m": 408}'
    make_house(Delta(text), Delta("", finish_reason="stop", usage=USAGE))
    answer = await sdk.responses.parse(model=MODEL, input="Where?", text_format=City)
    assert answer.output_parsed == City(name="Zürich", height_m=408)


async def test_a_response_is_gone_on_from(
    make_house: MakeHouse, sdk: openai.AsyncOpenAI, kept: KeptResponses
) -> None:
    house = make_house(*CALL, responses=kept, key="sesame")
    first = await sdk.responses.create(
        model=MODEL, input="Weather?", instructions="Be brief.", tools=[WEATHER]
    )
    assert first.model_dump()["store"] is True
    house.service.steps = HELLO
    result: Any = {"type": "function_call_output", "call_id": "c1", "output": "20 °C"}
    second = await sdk.responses.create(
        model=MODEL, input=[result], previous_response_id=first.id
    )
    third = await sdk.responses.create(
        model=MODEL, input="Thanks.", previous_response_id=second.id
    )
    assert texts(house) == ["Weather?", "", "20 °C", "Hello", "Thanks."]
    stored = kept.responses[third.id, "api_key"]
    assert stored.previous_response_id == second.id
    assert [item["type"] for item in stored.input] == ["message"]
    assert stored.body["output"][0]["content"][0]["text"] == "Hello"
    assert stored.events == ()


async def test_what_another_key_keeps_is_not_there(
    make_house: MakeHouse, sdk: openai.AsyncOpenAI, kept: KeptResponses
) -> None:
    make_house(responses=kept, key="sesame")
    first = await sdk.responses.create(model=MODEL, input="Hi")
    stored = kept.responses.pop((first.id, "api_key"))
    kept.responses[first.id, "another"] = stored
    with pytest.raises(openai.NotFoundError) as missing:
        await sdk.responses.create(
            model=MODEL, input="And?", previous_response_id=first.id
        )
    assert missing.value.code == "previous_response_not_found"
    assert missing.value.param == "previous_response_id"


async def test_an_item_of_a_kept_response_can_be_referred_to(
    make_house: MakeHouse, sdk: openai.AsyncOpenAI, kept: KeptResponses
) -> None:
    house = make_house(responses=kept)
    first = await sdk.responses.create(model=MODEL, input="Hi")
    said: Any = {"type": "item_reference", "id": first.output[0].id}
    asked: Any = {"type": "item_reference", "id": kept.only.input[0]["id"]}
    more: Any = {"role": "user", "content": "And?"}
    await sdk.responses.create(model=MODEL, input=[asked, said, more])
    assert texts(house) == ["Hi", "Hello", "And?"]
    await sdk.responses.create(
        model=MODEL, input=[said, more], previous_response_id=first.id
    )
    assert texts(house) == ["Hi", "Hello", "And?"]
    with pytest.raises(openai.BadRequestError, match="not found"):
        await sdk.responses.create(
            model=MODEL, input=[{"type": "item_reference", "id": "msg_1"}]
        )


async def test_what_was_asked_is_kept_as_the_sdks_types_want_it(
    make_house: MakeHouse, sdk: openai.AsyncOpenAI, kept: KeptResponses
) -> None:
    make_house(responses=kept)
    image = {"type": "input_image", "image_url": "data:image/png;base64,cmVk"}
    items: list[Any] = [
        {"role": "user", "content": [{"type": "input_text", "text": "Hi"}, image]},
        {"role": "assistant", "content": "Hello"},
        {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c", "output": [image]},
        {"type": "custom_tool_call", "call_id": "d", "name": "g", "input": "x"},
        {"type": "custom_tool_call_output", "call_id": "d", "output": "y"},
        {"type": "reasoning", "summary": [], "encrypted_content": "mlx1.aG0="},
        {"type": "mcp_call"},
        {"role": "user", "content": "And?"},
    ]
    await sdk.responses.create(model=MODEL, input=items)
    adapter: pydantic.TypeAdapter[Any] = pydantic.TypeAdapter(ResponseItem)
    for item in kept.only.input:
        assert adapter.validate_python(item).id == item["id"]
    assert len({item["id"] for item in kept.only.input}) == 8


async def test_a_conversation_is_gone_on_with_and_grows(
    make_house: MakeHouse, sdk: openai.AsyncOpenAI, kept: KeptResponses
) -> None:
    house = make_house(responses=kept)
    await kept.save_conversation(
        StoredConversation(id="conv_1", key_name="", created_at=1.0)
    )
    for text in ("Hi", "And?"):
        answer = await sdk.responses.create(
            model=MODEL, input=text, conversation="conv_1"
        )
        assert answer.conversation is not None
        assert answer.conversation.id == "conv_1"
    assert texts(house) == ["Hi", "Hello", "And?"]
    items = kept.conversations["conv_1", ""].items
    assert [item["role"] for item in items] == ["user", "assistant"] * 2
    assert len({item["id"] for item in items}) == 4
    with pytest.raises(openai.NotFoundError) as missing:
        await sdk.responses.create(
            model=MODEL, input="Hi", conversation={"id": "conv_2"}
        )
    assert missing.value.param == "conversation"


async def test_a_stream_is_kept_with_its_events_before_its_end_is_told(
    make_house: MakeHouse, client: Client, kept: KeptResponses
) -> None:
    make_house(responses=kept)
    exchange = client.post({"input": "Hi", "stream": True}, path=PATH)
    exchange.hold = asyncio.Event()
    exchange.hold_from = b"response.completed"
    await asyncio.wait_for(exchange.held.wait(), 60)
    assert kept.only.body["status"] == "completed"
    exchange.hold.set()
    told = (await exchange.reply()).body.decode()
    data = [line[6:] for line in told.splitlines() if line.startswith("data: ")]
    assert data.pop() == "[DONE]"
    assert list(kept.only.events) == [json.loads(each) for each in data]


async def test_nothing_is_kept_where_that_is_not_wanted(
    make_house: MakeHouse, sdk: openai.AsyncOpenAI, kept: KeptResponses
) -> None:
    make_house(responses=kept)
    answer = await sdk.responses.create(model=MODEL, input="Hi", store=False)
    assert answer.model_dump()["store"] is False
    assert not kept.responses


async def test_a_server_that_keeps_nothing_says_so(
    make_house: MakeHouse, sdk: openai.AsyncOpenAI, kept: KeptResponses
) -> None:
    kept.retention_s = 0
    house = make_house(responses=kept)
    await kept.save_conversation(
        StoredConversation(id="conv_1", key_name="", created_at=1.0)
    )
    answer = await sdk.responses.create(
        model=MODEL, input="Hi", store=True, conversation="conv_1"
    )
    assert answer.model_dump()["store"] is False
    assert house.ledger.only_row.warnings == (NOTHING_KEPT, NOT_ADDED)
    assert not kept.responses
    assert not kept.conversations["conv_1", ""].items


async def test_an_answer_that_cannot_be_kept_is_no_answer(
    make_house: MakeHouse, sdk: openai.AsyncOpenAI, kept: KeptResponses
) -> None:
    house = make_house(responses=kept)
    kept.is_broken = True
    with pytest.raises(openai.InternalServerError) as broken:
        await sdk.responses.create(model=MODEL, input="Hi")
    assert broken.value.code == "store_unavailable"
    stream = await sdk.responses.create(model=MODEL, input="Hi", stream=True)
    with pytest.raises(openai.APIError, match="database"):
        async for _ in stream:
            pass
    assert {row.reason for row in house.ledger.finished} == {"store_unavailable"}


async def test_an_answer_that_fails_is_kept_as_such(
    make_house: MakeHouse, sdk: openai.AsyncOpenAI, kept: KeptResponses
) -> None:
    house = make_house(Delta("Hel"), GenerationError("It broke."), responses=kept)
    stream = await sdk.responses.create(model=MODEL, input="Hi", stream=True)
    with pytest.raises(openai.APIError, match="It broke"):
        async for _ in stream:
            pass
    assert kept.only.body["status"] == "failed"
    assert kept.only.body["output"][0]["content"][0]["text"] == "Hel"
    assert kept.only.events[-1]["type"] == "response.failed"
    assert house.ledger.only_row.outcome == "failed"


async def test_an_answer_whose_client_leaves_is_kept_as_cancelled(
    make_house: MakeHouse, client: Client, kept: KeptResponses
) -> None:
    house = make_house(Delta("Hel"), asyncio.Event(), responses=kept)
    exchange = client.post({"input": "Hi", "stream": True}, path=PATH)
    await asyncio.wait_for(house.service.waiting.wait(), 60)
    await exchange.leave()
    await asyncio.wait_for(house.service.released.wait(), 60)
    await asyncio.wait_for(kept.saved.wait(), 60)
    assert kept.only.body["status"] == "cancelled"
    assert house.ledger.only_row.outcome == "cancelled"


async def test_it_is_listed_while_it_runs_and_can_be_ended(
    make_house: MakeHouse, client: Client, kept: KeptResponses
) -> None:
    going_on = asyncio.Event()
    house = make_house(Delta("Hel"), going_on, Delta("lo"), responses=kept)
    exchange = client.post({"input": "Hi", "stream": True}, path=PATH)
    await asyncio.wait_for(house.service.waiting.wait(), 60)
    (listed,) = house.app.running.first(5)
    assert (listed.endpoint, listed.kind) == (PATH, "text_stream")
    assert house.app.running.cancel(listed.request_id, by="ann")
    going_on.set()
    told = (await exchange.reply()).body.decode()
    assert "cancelled_by_staff" in told
    assert "event: response.failed" in told
    assert kept.only.body["status"] == "cancelled"
    assert house.ledger.only_row.reason == "cancelled_by_staff"


async def test_refusals_have_the_sdks_classes(
    make_house: MakeHouse, sdk: openai.AsyncOpenAI
) -> None:
    house = make_house(QueueFullError("Full."), key="sesame")
    with pytest.raises(openai.RateLimitError):
        await sdk.responses.create(model=MODEL, input="Hi")
    with pytest.raises(openai.RateLimitError):
        await sdk.responses.create(model=MODEL, input="Hi", stream=True)
    with pytest.raises(openai.NotFoundError):
        await sdk.responses.create(model="org/other", input="Hi")
    with pytest.raises(openai.BadRequestError) as bad:
        await sdk.responses.create(model=MODEL, input="Hi", temperature=3)
    assert bad.value.param == "temperature"
    with pytest.raises(openai.AuthenticationError):
        await sdk.with_options(api_key="wrong").responses.create(
            model=MODEL, input="Hi"
        )
    house.service.steps = (ContextLengthExceededError("Long.", param="messages"),)
    with pytest.raises(openai.BadRequestError) as long:
        await sdk.responses.create(model=MODEL, input="Hi")
    assert (long.value.code, long.value.param) == ("context_length_exceeded", "input")


async def test_what_was_asked_is_kept_beside_the_row_where_bodies_are(
    make_house: MakeHouse, sdk: openai.AsyncOpenAI
) -> None:
    house = make_house(record_bodies=True)
    await sdk.responses.create(model=MODEL, input="Hi", instructions="Be brief.")
    (bodies,) = house.ledger.bodies
    assert [message["role"] for message in bodies.prompt["messages"]] == (
        ["system", "user"]
    )
    assert bodies.answer is not None
    assert bodies.answer[0]["content"] == "Hello"


async def test_the_session_of_an_agent_is_that_of_its_row(
    make_house: MakeHouse, client: Client
) -> None:
    house = make_house()
    body = {"input": "Hi", "client_metadata": {"session_id": "s1", "n": {"a": 1}}}
    assert (await client.post(body, path=PATH).reply()).status == 200
    assert house.ledger.only_row.session_id == "s1"
