"""Anthropic's messages through its SDK: answers, streams, tools, images, refusals."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anthropic
import httpx
import pytest

from tests.e2e.family_server import FamilyServer, real_template
from tests.e2e.servers import Server
from tests.families.cases import TEXTS, WEATHER, ZURICH, glm
from tests.families.scripted import FILLER, write_caller
from tests.pictures import encoded, pixels

if TYPE_CHECKING:
    from collections.abc import Iterator

GLM = "GLM-4.6"
# How long the prompt is to which the model answers with a call.
AT = 4000
ANSWER = "It is warm."
RESULT = "Sunny, " * 100
TOOL = {
    "name": WEATHER["name"],
    "description": WEATHER["description"],
    "input_schema": WEATHER["parameters"],
}
# The SDK has no word for it any more.
GREEDY = {"temperature": 0}
COUNT = "/v1/messages/count_tokens"
SHAPE = Path(__file__).parent / "claude_code_body.json"


@pytest.fixture(scope="module")
def server(
    tiny_model_dir: Path, rambler_dir: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """A model that sees, and one that never ends, which answers for Claude's names."""
    data = tmp_path_factory.mktemp("messages") / "data"
    server = Server(
        data,
        tiny_model_dir,
        "--model-path",
        str(rambler_dir),
        ANTHROPIC_MODEL="rambler",
        MLX_API_KEY="secret",
    )
    yield server.wait_ready()
    server.kill()


@pytest.fixture(scope="module")
def glm_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FamilyServer]:
    """A model that thinks and calls at one prompt, and answers all others."""
    folder = tmp_path_factory.mktemp("families")
    call = f"<think>hm</think>\n{glm('get_weather', TEXTS)}"
    model = write_caller(folder / GLM, real_template(GLM), call, ANSWER, at=AT)
    server = FamilyServer({GLM: model}, folder, tmp_path_factory.mktemp("data") / "d")
    server.server.wait_ready()
    yield server
    server.close()


def client(server: Server, key: str = "secret") -> anthropic.Anthropic:
    return anthropic.Anthropic(
        base_url=server.base_url, api_key=key, max_retries=0, timeout=60
    )


def asked(text: str = "Hello", **options: Any) -> dict[str, Any]:
    return {
        "model": "rambler",
        "max_tokens": 8,
        "messages": [{"role": "user", "content": text}],
        "extra_body": GREEDY,
        **options,
    }


def create(server: Server, **options: Any) -> Any:
    return client(server).messages.create(**asked(**options))


def error_of(refused: Any) -> dict[str, Any]:
    error: dict[str, Any] = refused.value.body["error"]
    return error


def test_a_message_is_answered_and_leaves_its_row(server: Server) -> None:
    before = server.count_rows()
    raw = client(server).messages.with_raw_response.create(
        **asked(metadata={"user_id": "ann"}, extra_body=GREEDY | {"container": "c"})
    )
    message = raw.parse()
    assert (message.role, message.stop_reason) == ("assistant", "max_tokens")
    assert message.content[0].type == "text"
    assert message.usage.output_tokens == 8
    assert raw.headers["x-ignored-params"] == "container"
    request_id = raw.headers["request-id"]
    assert request_id == raw.headers["x-request-id"] == message._request_id
    row = server.wait_rows(before + 1)[request_id]
    assert (row["endpoint"], row["outcome"]) == ("/v1/messages", "finished")
    assert (row["user"], row["completion_tokens"]) == ("ann", 8)


def test_a_stream_has_the_message_of_the_whole(server: Server) -> None:
    whole = create(server)
    with client(server).messages.stream(**asked()) as stream:
        kinds = [event.type for event in stream]
        told = stream.get_final_message()
    assert kinds[0] == "message_start"
    assert kinds[-1] == "message_stop"
    assert told.content[0].text == whole.content[0].text
    assert told.stop_reason == whole.stop_reason
    assert told.usage.output_tokens == whole.usage.output_tokens


def test_it_tells_which_stop_sequence_ended_it(server: Server) -> None:
    text = create(server).content[0].text
    stop = text[len(text) // 2 :][:3]
    cut = create(server, stop_sequences=["nowhere", stop])
    assert (cut.stop_reason, cut.stop_sequence) == ("stop_sequence", stop)
    assert cut.content[0].text == text[: text.index(stop)]
    with client(server).messages.stream(**asked(stop_sequences=[stop])) as stream:
        told = stream.get_final_message()
    assert (told.stop_reason, told.stop_sequence) == ("stop_sequence", stop)


def test_claudes_names_mean_the_model_that_the_setting_names(server: Server) -> None:
    assert create(server, model="claude-opus-4-8").model == "rambler"


def test_a_count_is_what_the_answer_reads_and_leaves_its_row(server: Server) -> None:
    before = server.count_rows()
    body = asked(system="Be brief.", tools=[TOOL])
    usage = client(server).messages.create(**body).usage
    body.pop("max_tokens")
    counted = client(server).messages.count_tokens(**body)
    read = usage.input_tokens + usage.cache_read_input_tokens
    assert counted.input_tokens == read
    rows = server.wait_rows(before + 2).values()
    row = next(row for row in rows if row["endpoint"] == COUNT)
    assert (row["outcome"], row["prompt_tokens"]) == ("finished", read)
    assert not row["completion_tokens"]
    assert row["kind"] == ""


def test_images_are_seen_also_within_results(server: Server) -> None:
    data = base64.b64encode(encoded(pixels("red", 56))).decode()
    source = {"type": "base64", "media_type": "image/png", "data": data}
    image = {"type": "image", "source": source}
    seen = create(
        server,
        model="tiny-qwen2-vl",
        messages=[
            {"role": "user", "content": [image, {"type": "text", "text": "What?"}]}
        ],
    )
    call = {"type": "tool_use", "id": "c1", "name": "look", "input": {}}
    result = {"type": "tool_result", "tool_use_id": "c1", "content": [image]}
    turns = [
        {"role": "user", "content": "Look!"},
        {"role": "assistant", "content": [call]},
        {"role": "user", "content": [result]},
    ]
    shown = create(server, model="tiny-qwen2-vl", messages=turns)
    for message in (seen, shown):
        assert message.usage.input_tokens > 4
    with pytest.raises(anthropic.BadRequestError) as refused:
        create(server, messages=turns)
    assert error_of(refused)["param"] == "messages[2].content[0].content[0]"


@pytest.mark.parametrize(
    ("options", "error", "kind"),
    [
        ({"max_tokens": 0}, anthropic.BadRequestError, "invalid_request_error"),
        ({"model": "nobody"}, anthropic.NotFoundError, "not_found_error"),
        ({"key": "wrong"}, anthropic.AuthenticationError, "authentication_error"),
    ],
)
def test_refusals_have_the_sdks_classes_and_the_rows_id(
    server: Server, options: dict[str, Any], error: Any, kind: str
) -> None:
    key = options.pop("key", "secret")
    with pytest.raises(error) as refused:
        client(server, key).messages.create(**asked(**options))
    body = refused.value.body
    assert (body["type"], body["error"]["type"]) == ("error", kind)
    assert body["request_id"] == refused.value.response.headers["request-id"]


def test_a_schema_that_cannot_be_enforced_is_named_where_it_was_sent(
    server: Server,
) -> None:
    search = {"type": "web_search_20250305", "name": "web_search"}
    tools = [search, {"name": "f", "input_schema": {"not": {}}}]
    with pytest.raises(anthropic.BadRequestError) as refused:
        create(server, tools=tools, tool_choice={"type": "any"})
    assert error_of(refused)["param"] == "tools[1].input_schema"


def test_without_the_setting_a_name_of_claudes_is_refused_with_a_hint(
    glm_server: FamilyServer,
) -> None:
    with pytest.raises(anthropic.NotFoundError, match="ANTHROPIC_MODEL"):
        create(glm_server.server, model="claude-opus-4-8")


def test_what_claude_code_sends_is_answered(server: Server) -> None:
    body = json.loads(SHAPE.read_text()) | {"model": "claude-opus-4-8", "max_tokens": 4}
    answer = httpx.post(
        f"{server.base_url}/v1/messages?beta=true",
        json=body,
        headers={"x-api-key": "secret", "anthropic-version": "2023-06-01"},
        timeout=60,
    )
    assert answer.status_code == 200, answer.text
    names = [line[7:] for line in answer.text.splitlines() if line[:7] == "event: "]
    assert (names[0], names[-1]) == ("message_start", "message_stop")


def turns_that_call(server: FamilyServer, **options: Any) -> dict[str, Any]:
    """Return a request whose prompt is as long as the one that is called at."""
    body = {
        "model": server.served(GLM),
        "messages": [{"role": "user", "content": "How is the weather in Zürich?"}],
        "tools": [TOOL],
        "thinking": {"type": "adaptive"},
        **options,
    }
    sdk = client(server.server)
    missing = AT - sdk.messages.count_tokens(**body).input_tokens
    body["messages"][0]["content"] += FILLER * missing
    assert sdk.messages.count_tokens(**body).input_tokens == AT
    return body | {"max_tokens": 500, "extra_body": GREEDY}


@pytest.mark.parametrize("display", ["summarized", "omitted"])
def test_a_call_its_result_and_the_answer(
    glm_server: FamilyServer, display: str
) -> None:
    sdk = client(glm_server.server)
    thinking = {"type": "adaptive", "display": display}
    body = turns_that_call(glm_server, thinking=thinking)
    whole = sdk.messages.create(**body)
    with sdk.messages.stream(**body) as stream:
        told = stream.get_final_message()
    for message in (whole, told):
        thought, call = message.content
        assert thought.thinking == ("hm" if display == "summarized" else "")
        assert (call.name, call.input) == ("get_weather", ZURICH)
        assert message.stop_reason == "tool_use"
    result = {"type": "tool_result", "tool_use_id": call.id, "content": RESULT}
    messages = [
        *body["messages"],
        {"role": "assistant", "content": told.content},
        {"role": "user", "content": [result]},
    ]
    answer = sdk.messages.create(**body | {"messages": messages})
    assert [block.text for block in answer.content] == [ANSWER]
    assert answer.stop_reason == "end_turn"
