"""Responses of real models: turns with calls, what agents send, the cache, the form."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import agents
import httpx
import openai
import openresponses_types as open_responses
import pytest

from tests.e2e.family_server import FamilyServer, real_template
from tests.e2e.servers import wait_until
from tests.families.cases import glm
from tests.families.scripted import FILLER, write_caller

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.e2e.servers import Server

GLM = "GLM-4.6"
# How long the prompt is to which the model answers with a call.
AT = 10_000
COMMAND = "ls -la"
ANSWER = "It is warm."
RESULT = "Sunny, " * 100
agents.set_tracing_disabled(True)
SHAPE = Path(__file__).parent / "codex_responses_shape.json"
CITY = {
    "type": "object",
    "properties": {
        "city": {"type": "string", "minLength": 1, "maxLength": 10},
        "days": {"type": "integer", "minimum": 1, "maximum": 9},
    },
    "required": ["city", "days"],
    "additionalProperties": False,
}


@pytest.fixture(scope="module")
def glm_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FamilyServer]:
    """A model that thinks and calls at one prompt, and answers all others."""
    folder = tmp_path_factory.mktemp("families")
    call = f"<think>hm</think>\n{glm('exec_command', {'cmd': COMMAND})}"
    model = write_caller(folder / GLM, real_template(GLM), call, ANSWER, at=AT)
    server = FamilyServer({GLM: model}, folder, tmp_path_factory.mktemp("data") / "d")
    server.server.wait_ready()
    yield server
    server.close()


def filled(value: Any, words: str = "word ") -> Any:
    """Return what an agent sent with a text wherever only its length is known."""
    if isinstance(value, dict):
        return {name: filled(each, words) for name, each in value.items()}
    if isinstance(value, list):
        return [filled(each, words) for each in value]
    lengths = re.fullmatch(r"<(\d+) characters>", value) if type(value) is str else None
    if lengths is None:
        return value
    length = int(lengths[1])
    return (words * length)[:length]


def codex_body(server: FamilyServer) -> dict[str, Any]:
    """Return what Codex sends, with a prompt as long as the one that is called at."""
    body: dict[str, Any] = filled(json.loads(SHAPE.read_text())["body"])
    body |= {"model": server.served(GLM), "temperature": 0}
    command = body["tools"][0]["parameters"]["properties"]
    body["tools"][0]["parameters"]["properties"] = {"cmd": command["x"]}
    short = body | {"stream": False, "max_output_tokens": 1}
    answer = httpx.post(url(server.server), json=short, timeout=120)
    assert answer.status_code == 200, answer.text
    missing = AT - answer.json()["usage"]["input_tokens"]
    assert missing > 0
    body["input"][-1]["content"][0]["text"] += FILLER * missing
    # The SDK has no word for it.
    return body | {"extra_body": {"client_metadata": body.pop("client_metadata")}}


def url(server: Server) -> str:
    return f"{server.base_url}/v1/responses"


def create(server: Server, model: str = "tiny-qwen2-vl", **asked: Any) -> Any:
    return server.client().responses.create(
        **{"model": model, "input": "Hello", "temperature": 0, "max_output_tokens": 8}
        | asked
    )


def test_what_codex_sends_is_answered_through_a_call_and_its_result(
    glm_server: FamilyServer,
) -> None:
    body = codex_body(glm_server)
    server = glm_server.server
    events: list[Any] = list(server.client().responses.create(**body))
    assert events[0].type == "response.created"
    assert [event.sequence_number for event in events] == list(range(len(events)))
    first = events[-1].response
    thought, call = first.output
    assert first.status == "completed"
    assert (call.name, json.loads(call.arguments)) == ("exec_command", {"cmd": COMMAND})
    assert thought.content[0].text == "hm"
    assert thought.encrypted_content
    # Codex does not send thinking back but in the text that it cannot read.
    carried = thought.model_dump(exclude={"content"})
    result = {
        "type": "function_call_output",
        "call_id": call.call_id,
        "output": RESULT,
    }
    more = [*body["input"], carried, call.model_dump(), result]
    turns: list[Any] = list(server.client().responses.create(**body | {"input": more}))
    last = turns[-1]
    assert last.response.output_text == ANSWER
    assert last.response.usage.input_tokens_details.cached_tokens > AT // 2

    def ended() -> dict[str, Any] | None:
        row = server.rows().get(f"req-{last.response.id.removeprefix('resp_')}")
        return row if row and row["outcome"] != "running" else None

    row = wait_until(ended, "the row of the second turn")
    assert row is not None
    assert (row["endpoint"], row["outcome"]) == ("/v1/responses", "finished")
    assert json.loads(row["params"])["ignored"] == ["tools[2].web_search"]


async def test_an_agent_of_openais_calls_gets_its_result_and_answers(
    glm_server: FamilyServer,
) -> None:
    asked = []

    def exec_command(cmd: str) -> str:
        """Run a command."""
        asked.append(cmd)
        return RESULT

    agent = agents.Agent(
        name="shell",
        instructions="Be brief.",
        tools=[agents.function_tool(exec_command)],
        model=agents.OpenAIResponsesModel(
            glm_server.served(GLM), glm_server.server.async_client()
        ),
        model_settings=agents.ModelSettings(temperature=0),
    )
    short = await agents.Runner.run(agent, "Look!")
    missing = AT - short.raw_responses[0].usage.input_tokens
    prompt = "Look!" + FILLER * missing
    result = await agents.Runner.run(agent, prompt)
    assert (result.final_output, asked) == (ANSWER, [COMMAND])
    streamed = agents.Runner.run_streamed(agent, prompt)
    kinds = {event.type async for event in streamed.stream_events()}
    assert "raw_response_event" in kinds
    assert (streamed.final_output, asked) == (ANSWER, [COMMAND, COMMAND])


def test_a_stream_has_the_response_of_the_whole(rambler_server: Server) -> None:
    whole = create(rambler_server, "rambler")
    *_, last = create(rambler_server, "rambler", stream=True)
    told = last.response
    assert last.type == "response.incomplete"
    assert (told.output_text, told.status) == (whole.output_text, "incomplete")
    assert told.incomplete_details.reason == "max_output_tokens"
    assert told.usage.output_tokens == whole.usage.output_tokens == 8
    raw = httpx.post(
        url(rambler_server), json={"input": "Hi", "max_output_tokens": 4}, timeout=60
    )
    open_responses.ResponseResource.model_validate(raw.json())


def test_a_schema_holds_the_text_and_arguments(tiny_server: Server) -> None:
    form = {"type": "json_schema", "name": "city", "schema": CITY, "strict": True}
    hot = {"temperature": 1.5, "max_output_tokens": 400}
    text = create(tiny_server, text={"format": form}, **hot).output_text
    assert set(json.loads(text)) == {"city", "days"}
    tool = {"type": "function", "name": "weather", "parameters": CITY, "strict": True}
    (call,) = create(
        tiny_server,
        tools=[tool],
        tool_choice={"type": "function", "name": "weather"},
        **hot,
    ).output
    assert set(json.loads(call.arguments)) == {"city", "days"}


def test_the_text_of_a_custom_tool_matches_its_expression(tiny_server: Server) -> None:
    form = {"type": "grammar", "syntax": "regex", "definition": "[a-c]{3,9}\n[0-9]{2}"}
    tool = {"type": "custom", "name": "patch", "format": form}
    asked = {
        "tools": [tool],
        "tool_choice": {"type": "custom", "name": "patch"},
        "temperature": 1.5,
        "max_output_tokens": 400,
    }
    (call,) = create(tiny_server, **asked).output
    assert (call.type, call.name) == ("custom_tool_call", "patch")
    assert re.fullmatch(form["definition"], call.input)
    events = list(create(tiny_server, stream=True, **asked))
    pieces = [
        event.delta
        for event in events
        if event.type == "response.custom_tool_call_input.delta"
    ]
    assert "".join(pieces) == events[-1].response.output[0].input
    assert re.fullmatch(form["definition"], "".join(pieces))


def test_the_cache_can_be_prepared_without_an_answer(rambler_server: Server) -> None:
    prompt = "Tell me of the mountains. " * 40
    options = {"prompt_cache_options": {"prewarm": True}}
    prepared = create(rambler_server, "rambler", input=prompt, extra_body=options)
    assert (prepared.status, prepared.output) == ("completed", [])
    usage = create(rambler_server, "rambler", input=prompt).usage
    assert usage.input_tokens_details.cached_tokens > usage.input_tokens // 2


def test_the_oldest_turns_are_left_out_where_that_is_asked(
    tiny_server: Server,
) -> None:
    turns = [{"role": "user", "content": "far too long " * 50} for _ in range(30)]
    asked = [*turns, {"role": "user", "content": "And?"}]
    with pytest.raises(openai.BadRequestError) as long:
        create(tiny_server, input=asked)
    assert (long.value.code, long.value.param) == ("context_length_exceeded", "input")
    answer = create(tiny_server, input=asked, truncation="auto")
    assert answer.truncation == "auto"
    # The model reads 2048: what is left out is as little as can be.
    assert 2048 - 310 < answer.usage.input_tokens < 2048
