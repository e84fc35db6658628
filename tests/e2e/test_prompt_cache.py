"""The prompt cache from outside: what a next turn costs, and what its row says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.e2e.servers import Server
from tests.pictures import data_url

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.e2e.conftest import StartServer

SYSTEM = {"role": "system", "content": "Say what is asked. " * 30}


def user(text: str) -> dict[str, Any]:
    return {"role": "user", "content": text}


def ask(server: Server, messages: list[dict[str, Any]], **options: Any) -> Any:
    model = server.client().models.list().data[0].id
    return server.client().chat.completions.create(
        model=model,
        messages=messages,  # type: ignore[arg-type]
        **{"max_tokens": 12, "temperature": 0} | options,
    )


def cached(completion: Any) -> int:
    return int(completion.usage.prompt_tokens_details.cached_tokens)


@pytest.fixture(scope="module")
def server(
    tiny_model_dir: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("prompts") / "data", tiny_model_dir)
    yield server.wait_ready()
    server.kill()


def test_the_next_turn_is_computed_from_where_the_one_before_ended(
    server: Server,
) -> None:
    before = server.count_rows()
    messages = [SYSTEM, user("Count to twenty.")]
    first = ask(server, messages)
    said = first.choices[0].message.content
    following = [*messages, {"role": "assistant", "content": said}, user("Go on.")]
    second = ask(server, following)
    assert cached(first) == 0
    # All of the first turn, but perhaps for the token that its end is split at.
    total = first.usage.prompt_tokens + first.usage.completion_tokens
    assert total - 2 <= cached(second) <= total
    rows = [
        row
        for row in server.wait_rows(before + 2).values()
        if row["prompt_tokens"] == second.usage.prompt_tokens
    ]
    assert [row["cached_tokens"] for row in rows] == [cached(second)]
    assert [row["prefix_diverged_at"] for row in rows] == [cached(second)]


def test_a_shared_beginning_is_computed_once(server: Server) -> None:
    system = {"role": "system", "content": "Be brief and friendly. " * 30}
    first = ask(server, [system, user("Count to twenty.")])
    other = ask(server, [system, user("What colour is the sea?")])
    assert cached(first) < 64
    assert 300 < cached(other) < other.usage.prompt_tokens - 1


def test_prometheus_counts_what_was_looked_up_and_found(server: Server) -> None:
    def counts() -> list[float]:
        text = httpx.get(f"{server.base_url}/metrics").text
        names = ("queries", "hits")
        return [
            float(line.rsplit(" ", 1)[1])
            for name in names
            for line in text.splitlines()
            if line.startswith(f"vllm:prefix_cache_{name}_total{{")
        ]

    question = [SYSTEM, user("Name a colour.")]
    ask(server, question)
    queries, hits = counts()
    again = ask(server, question)
    assert counts() == [queries + again.usage.prompt_tokens, hits + cached(again)]
    assert cached(again) == again.usage.prompt_tokens - 1


def test_the_next_turn_about_a_picture_does_not_read_it_again(server: Server) -> None:
    def turn(colour: str) -> dict[str, Any]:
        url = {"type": "image_url", "image_url": {"url": data_url(colour, 8)}}
        text = {"type": "text", "text": "What colour is this? " * 12}
        return {"role": "user", "content": [url, text]}

    first = ask(server, [turn("red")])
    said = {"role": "assistant", "content": first.choices[0].message.content}
    second = ask(server, [turn("red"), said, user("Are you sure?")])
    assert cached(second) >= first.usage.prompt_tokens
    other = ask(server, [turn("blue")])
    assert cached(other) == 0
    assert first.choices[0].message.content != other.choices[0].message.content


async def test_what_was_computed_before_a_cancel_is_not_computed_again(
    server: Server,
) -> None:
    messages = [user("Count to twenty, slowly. " * 40)]
    client = server.async_client()
    model = (await client.models.list()).data[0].id
    stream = await client.chat.completions.create(
        model=model,
        messages=messages,  # type: ignore[arg-type]
        stream=True,
        max_tokens=4000,
        extra_body={"ignore_eos": True},
    )
    async for _ in stream:
        break
    await stream.close()
    await client.close()
    server.wait_idle()
    again = ask(server, messages)
    assert cached(again) == again.usage.prompt_tokens - 1


def test_it_can_be_turned_off(start_server: StartServer, tiny_model_dir: Path) -> None:
    server = start_server(tiny_model_dir, PROMPT_CACHE="0").wait_ready()
    question = [SYSTEM, user("Name a colour.")]
    ask(server, question)
    assert cached(ask(server, question)) == 0
    rows = server.wait_rows(2).values()
    assert {row["prefix_diverged_at"] for row in rows} == {None}


def test_it_gives_its_memory_back_before_a_prompt_is_refused(
    start_server: StartServer, rambler_dir: Path
) -> None:
    size = sum(f.stat().st_size for f in rambler_dir.glob("*.safetensors"))
    server = start_server(
        rambler_dir, MEMORY_BUDGET=str(size + 8_000_000), PROMPT_CACHE="100MB"
    ).wait_ready()
    # Each leaves more than a megabyte behind; all of them together would not fit.
    for number in range(8):
        completion = ask(server, [user(f"{number} word " * 800)], max_tokens=2)
        assert completion.usage.completion_tokens == 2
