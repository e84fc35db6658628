"""The main job through the OpenAI SDK, against a real server and a real model."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import openai
import pytest

if TYPE_CHECKING:
    from tests.e2e.servers import Server

COUNT = [{"role": "user", "content": "Count to twenty."}]
TWENTY = (
    "one two three four five six seven eight nine ten eleven twelve thirteen "
    "fourteen fifteen sixteen seventeen eighteen nineteen twenty"
)


def streamed(client: openai.OpenAI, **options: Any) -> tuple[str, list[Any]]:
    body = {"model": "tiny-qwen2-vl", "messages": COUNT, "stream": True} | options
    chunks = list(client.chat.completions.create(**body))
    text = "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
    return text, chunks


def test_it_answers_in_one_piece(tiny_server: Server) -> None:
    answer = tiny_server.client().chat.completions.create(
        model="tiny-qwen2-vl", messages=COUNT
    )
    assert answer.choices[0].message.content == TWENTY
    assert answer.choices[0].message.role == "assistant"
    assert answer.choices[0].finish_reason == "stop"
    assert answer.model == "tiny-qwen2-vl"
    assert answer.usage.total_tokens == (
        answer.usage.prompt_tokens + answer.usage.completion_tokens
    )


def test_it_answers_as_a_stream_with_the_same_text(tiny_server: Server) -> None:
    text, chunks = streamed(
        tiny_server.client(), stream_options={"include_usage": True}
    )
    assert text == TWENTY
    roles = [c.choices[0].delta.role for c in chunks if c.choices]
    assert [role for role in roles if role] == ["assistant"]
    assert roles[0] == "assistant"
    ends = [c.choices[0].finish_reason for c in chunks if c.choices]
    assert [end for end in ends if end] == ["stop"]
    assert chunks[-1].choices == []
    assert chunks[-1].usage.completion_tokens == 21
    assert len({c.id for c in chunks}) == 1


def test_it_serves_the_sdks_stream_helper(tiny_server: Server) -> None:
    with tiny_server.client().chat.completions.stream(
        model="tiny-qwen2-vl", messages=COUNT
    ) as stream:
        final = stream.get_final_completion()
    assert final.choices[0].message.content == TWENTY


async def test_it_serves_twenty_mixed_clients_at_once_and_keeps_a_row_of_each(
    tiny_server: Server,
) -> None:
    client = tiny_server.async_client()
    before = tiny_server.count_rows()

    async def one(number: int) -> str:
        create = client.chat.completions.create
        if number % 2:
            answer = await create(model="tiny-qwen2-vl", messages=COUNT)
            return answer.choices[0].message.content or ""
        chunks = await create(model="tiny-qwen2-vl", messages=COUNT, stream=True)
        return "".join([c.choices[0].delta.content or "" async for c in chunks])

    texts = await asyncio.gather(*(one(number) for number in range(20)))
    assert texts == [TWENTY] * 20
    rows = list(tiny_server.wait_rows(before + 20).values())[before:]
    assert [row["outcome"] for row in rows] == ["finished"] * 20
    assert sorted({row["kind"] for row in rows}) == ["text", "text_stream"]
    assert {row["completion_tokens"] for row in rows} == {21}
    assert {row["words"] for row in rows} == {20}


def test_it_joins_the_row_to_the_answer_by_request_id(tiny_server: Server) -> None:
    raw = tiny_server.client().chat.completions.with_raw_response.create(
        model="tiny-qwen2-vl",
        messages=COUNT,
        temperature=0.5,
        extra_headers={"x-client-request-id": "mine-1"},
    )
    row = _wait_row(tiny_server, raw.headers["x-request-id"])
    assert row["client_request_id"] == "mine-1"
    assert row["model"] == "tiny-qwen2-vl"
    assert row["http_status"] == 200
    assert '"temperature": 0.5' in row["params"].replace('":0', '": 0')
    assert row["ttft_s"] <= row["total_s"]
    assert "messages" not in row["params"]


def _wait_row(server: Server, request_id: str) -> dict[str, Any]:
    from tests.e2e.servers import wait_until

    def ended() -> dict[str, Any] | None:
        row = server.rows().get(request_id)
        return row if row and row["outcome"] != "running" else None

    found = wait_until(ended, f"the row of {request_id}")
    assert found is not None
    return found


@pytest.mark.parametrize("stream", [False, True])
def test_it_ends_before_a_stop_string_that_spans_tokens(
    tiny_server: Server, stream: bool
) -> None:
    client = tiny_server.client()
    stop = ["x y z", "ive six"]
    if stream:
        text, chunks = streamed(client, stop=stop)
        end = [c.choices[0].finish_reason for c in chunks if c.choices][-1]
    else:
        answer = client.chat.completions.create(
            model="tiny-qwen2-vl", messages=COUNT, stop=stop
        )
        text = answer.choices[0].message.content or ""
        end = answer.choices[0].finish_reason
    assert text == "one two three four f"
    assert end == "stop"


def test_it_ends_at_max_tokens_and_says_length(tiny_server: Server) -> None:
    answer = tiny_server.client().chat.completions.create(
        model="tiny-qwen2-vl", messages=COUNT, max_completion_tokens=3
    )
    assert answer.choices[0].message.content == "one two three"
    assert answer.choices[0].finish_reason == "length"
    assert answer.usage.completion_tokens == 3


def test_it_repeats_a_seeded_answer_alone_and_in_a_crowd(
    rambler_server: Server,
) -> None:
    client = rambler_server.client()

    def seeded(seed: int) -> str:
        answer = client.chat.completions.create(
            model="rambler", messages=COUNT, seed=seed, max_tokens=40, top_p=0.9
        )
        return answer.choices[0].message.content or ""

    alone = seeded(7)
    assert alone == seeded(7)
    assert alone != seeded(8)

    async def crowd() -> list[str]:
        create = rambler_server.async_client().chat.completions.create
        answers = await asyncio.gather(
            *(
                create(
                    model="rambler",
                    messages=COUNT,
                    seed=7 if number == 5 else None,
                    temperature=1.0 if number == 5 else 0.15 * number,
                    max_tokens=40,
                    top_p=0.9,
                )
                for number in range(12)
            )
        )
        return [answer.choices[0].message.content or "" for answer in answers]

    assert asyncio.run(crowd())[5] == alone


def test_it_never_sends_half_a_character(rambler_server: Server) -> None:
    """The rambler writes random bytes: whole text and streamed text must agree."""
    body = {"messages": COUNT, "temperature": 0, "max_tokens": 400}
    client = rambler_server.client()
    whole = client.chat.completions.create(model="rambler", **body)
    text, _ = streamed(client, model="rambler", **body)
    assert text == whole.choices[0].message.content
    assert len(text) > 400
    assert not text.endswith("\ufffd")


def test_it_answers_the_default_model_when_none_is_named(tiny_server: Server) -> None:
    answer = tiny_server.client().post(
        "/chat/completions", body={"messages": COUNT}, cast_to=dict[str, Any]
    )
    assert answer["model"] == "tiny-qwen2-vl"


def test_it_refuses_a_model_that_is_not_served(tiny_server: Server) -> None:
    with pytest.raises(openai.NotFoundError) as refusal:
        tiny_server.client().chat.completions.create(model="gpt-4o", messages=COUNT)
    assert refusal.value.code == "model_not_found"
    row = _wait_row(tiny_server, refusal.value.request_id or "")
    assert (row["outcome"], row["model_requested"]) == ("invalid", "gpt-4o")


@pytest.mark.parametrize("stream", [False, True])
def test_it_refuses_a_prompt_longer_than_the_context(
    tiny_server: Server, stream: bool
) -> None:
    long = [{"role": "user", "content": "one two three four " * 1000}]
    with pytest.raises(openai.BadRequestError) as refusal:
        tiny_server.client().chat.completions.create(
            model="tiny-qwen2-vl", messages=long, stream=stream
        )
    assert refusal.value.code == "context_length_exceeded"
    row = _wait_row(tiny_server, refusal.value.request_id or "")
    assert (row["outcome"], row["phase"]) == ("invalid", "prepare")


def test_it_continues_a_conversation_of_all_roles(tiny_server: Server) -> None:
    answer = tiny_server.client().chat.completions.create(
        model="tiny-qwen2-vl",
        messages=[
            {"role": "system", "content": "Be brief."},
            {"role": "developer", "content": "Be exact."},
            {"role": "user", "content": [{"type": "text", "text": "Hello"}]},
            {"role": "assistant", "content": "Hello."},
            {"role": "user", "content": "Again."},
        ],
    )
    assert answer.choices[0].message.content


def test_it_lists_its_models_to_the_sdk(tiny_server: Server) -> None:
    client = tiny_server.client()
    assert [model.id for model in client.models.list()] == ["tiny-qwen2-vl"]
    assert client.models.retrieve("tiny-qwen2-vl").object == "model"
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("org/none")


def test_it_reports_its_queue_in_the_older_servers_shape(tiny_server: Server) -> None:
    tiny_server.client().chat.completions.create(model=None, messages=COUNT)  # type: ignore[call-overload]
    stats = tiny_server.get("/v1/queue/stats")
    assert stats["status"] == "ok"
    assert stats["queue_stats"] == {
        "running": True,
        "queue_size": 0,
        "max_queue_size": 100,
        "active_requests": 0,
        "max_concurrency": 32,
    }
    metrics = stats["metrics"]
    assert metrics["total_requests"] == sum(metrics["request_types"].values()) > 0
    speeds = metrics["performance"]
    assert 0 < speeds["min_tps"] <= speeds["avg_tps"] <= speeds["max_tps"]
    assert "Request completed: text" in tiny_server.output()
