"""Kinds of models through the SDK: strict instruction models, and thinking ones."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

import openai
import pytest

from tests.e2e.conftest import running
from tests.templates.real import HERE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.e2e.servers import Server

CLEAN = [
    {"role": "user", "content": "Hello"},
    {"role": "assistant", "content": "Hi"},
    {"role": "user", "content": "Count to twenty."},
]
MESSY = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "Hello"},
    {"role": "user", "content": ""},
    {"role": "user", "content": [{"type": "text", "text": "once more"}]},
    {"role": "assistant", "content": "Hi"},
    {"role": "assistant", "content": "and welcome"},
    {"role": "developer", "content": "Now in French."},
    {"role": "user", "content": "Count to twenty."},
]


def dressed(model: Path, target: Path, template: str) -> Path:
    """Copy a model and give it a template as its folder would have it."""
    shutil.copytree(model, target)
    config = target / "tokenizer_config.json"
    content = json.loads(config.read_text())
    del content["chat_template"]
    config.write_text(json.dumps(content))
    source = HERE / "like" / f"{template}_like.jinja"
    shutil.copy(source, target / "chat_template.jinja")
    return target


@pytest.fixture(scope="module")
def mistral_server(
    tiny_model_dir: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """The tiny model with a template like Mistral's: roles must alternate."""
    folder = tmp_path_factory.mktemp("models") / "mistral-like"
    yield from running(dressed(tiny_model_dir, folder, "mistral"), tmp_path_factory)


def create(server: Server, model: str, messages: list[Any], **options: Any) -> Any:
    return server.client().chat.completions.create(
        model=model, messages=messages, temperature=0, **options
    )


def newest_row(server: Server, count: int) -> dict[str, Any]:
    return list(server.wait_rows(count).values())[-1]


@pytest.mark.parametrize("stream", [False, True])
def test_a_strict_model_answers_a_messy_conversation(
    mistral_server: Server, stream: bool
) -> None:
    before = mistral_server.count_rows()
    answer = create(mistral_server, "mistral-like", MESSY, max_tokens=4, stream=stream)
    if stream:
        reasons = [chunk.choices[0].finish_reason for chunk in answer if chunk.choices]
        assert reasons[-1] in ("length", "stop")
    else:
        assert answer.usage.prompt_tokens > 0
    row = newest_row(mistral_server, before + 1)
    assert (row["outcome"], row["http_status"]) == ("finished", 200)
    assert json.loads(row["warnings"]) == [
        "a later system message was folded into a user message",
        "an empty message was left out",
        "messages of one role in a row were merged",
    ]


def test_a_strict_model_gets_what_a_tidy_client_would_have_sent(
    mistral_server: Server,
) -> None:
    tidy = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Hello\n\nonce more"},
        {"role": "assistant", "content": "Hi\n\nand welcome"},
        {"role": "user", "content": "Now in French.\n\nCount to twenty."},
    ]
    before = mistral_server.count_rows()
    messy, clean = (
        create(mistral_server, "mistral-like", messages, max_tokens=12)
        for messages in (MESSY, tidy)
    )
    assert messy.usage.prompt_tokens == clean.usage.prompt_tokens
    assert messy.choices[0].message.content == clean.choices[0].message.content
    assert json.loads(newest_row(mistral_server, before + 2)["warnings"]) == []


def test_a_strict_model_gets_calls_with_ids_it_takes(mistral_server: Server) -> None:
    call = {
        "id": "call_0123456789abcdef",
        "type": "function",
        "function": {"name": "look_up", "arguments": '{"of": "plover"}'},
    }
    result = {"role": "tool", "tool_call_id": call["id"], "content": "curlew"}
    messages = [CLEAN[0], {"role": "assistant", "tool_calls": [call]}, result]
    before = mistral_server.count_rows()
    create(mistral_server, "mistral-like", messages, max_tokens=1)
    create(mistral_server, "mistral-like", [*messages, CLEAN[0]], max_tokens=1)
    first, second = list(mistral_server.wait_rows(before + 2).values())[-2:]
    assert json.loads(first["warnings"]) == []
    assert json.loads(second["warnings"])[0].startswith("tools and their messages")


def test_thinking_is_streamed_before_the_answer(thinker_server: Server) -> None:
    """What its template opens is told as thinking, in order, and not again."""
    order = []
    for chunk in create(
        thinker_server,
        "thinker",
        CLEAN,
        max_tokens=40,
        stream=True,
        extra_body={"thinking_budget": 12},
    ):
        delta = chunk.choices[0].delta
        if getattr(delta, "reasoning_content", None):
            order.append("reasoning")
        if delta.content:
            order.append("content")
    assert set(order) == {"reasoning", "content"}
    assert order == sorted(order, reverse=True)


def test_thinking_that_comes_back_is_taken(thinker_server: Server) -> None:
    answer = create(
        thinker_server,
        "thinker",
        CLEAN,
        max_tokens=40,
        extra_body={"thinking_budget": 12},
    )
    message = answer.choices[0].message.model_dump(exclude_none=True)
    assert message["reasoning_content"]
    again = create(thinker_server, "thinker", [*CLEAN, message, CLEAN[0]], max_tokens=2)
    assert again.usage.prompt_tokens > answer.usage.prompt_tokens


def test_a_conversation_that_no_template_takes_is_a_clear_error(
    start_server: Any, tiny_model_dir: Path, tmp_path: Path
) -> None:
    folder = dressed(tiny_model_dir, tmp_path / "sullen", "mistral")
    (folder / "chat_template.jinja").write_text("{{ raise_exception('not today') }}")
    server = start_server(folder).wait_ready()
    with pytest.raises(openai.BadRequestError, match="not today"):
        create(server, "sullen", CLEAN, max_tokens=2)
