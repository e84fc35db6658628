"""Tools and thinking through the SDK: forced, free, streamed, and back again."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import jsonschema
import openai
import pytest

if TYPE_CHECKING:
    from tests.e2e.servers import Server

ASK = [{"role": "user", "content": "What is the weather in Rome?"}]
CITY = {
    "type": "object",
    "properties": {
        "city": {"type": "string", "minLength": 1, "maxLength": 10},
        "days": {"type": "integer", "minimum": 1, "maximum": 9},
    },
    "required": ["city", "days"],
    "additionalProperties": False,
}
WEATHER = {"type": "function", "function": {"name": "weather", "parameters": CITY}}
NOW = {"type": "function", "function": {"name": "now"}}
NAMED = {"type": "function", "function": {"name": "weather"}}
HOT = {"temperature": 1.5, "seed": 5, "max_tokens": 400}


def create(server: Server, model: str, **options: Any) -> Any:
    extra = {
        name: options.pop(name)
        for name in ("thinking_budget", "chat_template_kwargs", "min_tokens")
        if name in options
    }
    options.setdefault("messages", ASK)
    return server.client().chat.completions.create(
        model=model, extra_body=extra, **options
    )


def call_of(answer: Any) -> tuple[str, Any]:
    (call,) = answer.choices[0].message.tool_calls
    return call.function.name, json.loads(call.function.arguments)


@pytest.fixture(params=["tiny-qwen2-vl", "thinker"])
def served(
    request: Any, tiny_server: Server, thinker_server: Server
) -> tuple[Server, str]:
    """A model without a call format of its own, and one with."""
    server = tiny_server if request.param == "tiny-qwen2-vl" else thinker_server
    return server, request.param


@pytest.mark.shows("tools", "tool_choice")
def test_a_named_function_is_called_with_arguments_that_fit(
    served: tuple[Server, str],
) -> None:
    answer = create(
        *served, tools=[NOW, WEATHER], tool_choice=NAMED, thinking_budget=5, **HOT
    )
    assert answer.choices[0].finish_reason == "tool_calls"
    assert answer.choices[0].message.content is None
    name, arguments = call_of(answer)
    assert name == "weather"
    jsonschema.validate(arguments, CITY)


@pytest.mark.shows("parallel_tool_calls")
def test_a_call_that_is_required_comes_and_only_once_where_asked(
    served: tuple[Server, str],
) -> None:
    options = {"tools": [NOW, WEATHER], "tool_choice": "required"} | HOT
    once = create(*served, **options, thinking_budget=5)
    assert len(once.choices[0].message.tool_calls) == 1
    several = create(
        *served, **options, parallel_tool_calls=True, thinking_budget=5
    ).choices[0]
    assert several.finish_reason == "tool_calls"
    for call in several.message.tool_calls:
        assert call.function.name in ("now", "weather")
        schema = CITY if call.function.name == "weather" else {"maxProperties": 0}
        jsonschema.validate(json.loads(call.function.arguments), schema)
    assert len({call.id for call in several.message.tool_calls}) == len(
        several.message.tool_calls
    )


def test_a_call_streams_its_name_and_then_its_arguments_in_pieces(
    served: tuple[Server, str],
) -> None:
    server, _ = served
    before = server.count_rows()
    options = {"tools": [WEATHER], "tool_choice": NAMED, "thinking_budget": 5} | HOT
    whole = create(*served, **options)
    pieces: list[Any] = []
    reasons = []
    for chunk in create(*served, **options, stream=True):
        assert not chunk.choices[0].delta.content
        pieces += chunk.choices[0].delta.tool_calls or []
        reasons.append(chunk.choices[0].finish_reason)
    assert reasons[-1] == "tool_calls"
    assert (pieces[0].function.name, pieces[0].index) == ("weather", 0)
    assert pieces[0].id.startswith("call_")
    assert all(piece.id is None for piece in pieces[1:])
    # How many of the arguments depends on how fast they are read.
    assert len(pieces) >= 2
    joined = "".join(piece.function.arguments for piece in pieces)
    assert json.loads(joined) == call_of(whole)[1]
    row = list(server.wait_rows(before + 2).values())[-1]
    assert (row["tool_calls"], row["finish_reason"]) == (1, "tool_calls")
    assert row["structured"] == "tool_call"


def test_the_result_of_a_call_goes_back_to_the_model(
    served: tuple[Server, str],
) -> None:
    first = create(
        *served, tools=[WEATHER], tool_choice=NAMED, thinking_budget=5, **HOT
    )
    said = first.choices[0].message
    result = {
        "role": "tool",
        "tool_call_id": said.tool_calls[0].id,
        "content": "sunny",
    }
    messages = [*ASK, said.model_dump(exclude_none=True), result]
    answer = create(*served, messages=messages, tools=[WEATHER], max_tokens=8)
    assert answer.usage.prompt_tokens > first.usage.prompt_tokens


@pytest.mark.parametrize(
    ("options", "param"),
    [
        ({"tool_choice": "required"}, "tool_choice"),
        ({"tools": [NOW], "tool_choice": NAMED}, "tool_choice"),
        (
            {
                "tools": [
                    {
                        "type": "function",
                        "function": {"name": "f", "parameters": {"not": {}}},
                    }
                ],
                "tool_choice": "required",
            },
            "tools[0].function.parameters",
        ),
    ],
)
def test_it_names_what_is_wrong_with_tools(
    tiny_server: Server, options: dict[str, Any], param: str
) -> None:
    with pytest.raises(openai.BadRequestError) as refusal:
        create(tiny_server, "tiny-qwen2-vl", **options)
    assert refusal.value.param == param


@pytest.mark.parametrize("stream", [False, True])
def test_thinking_stands_apart_from_the_answer(
    thinker_server: Server, stream: bool
) -> None:
    options = {"max_tokens": 40, "thinking_budget": 12, "temperature": 0}
    answer = create(
        thinker_server,
        "thinker",
        **options,
        stream=stream,
        **({"stream_options": {"include_usage": True}} if stream else {}),
    )
    if stream:
        chunks = list(answer)
        deltas = [c.choices[0].delta for c in chunks if c.choices]
        reasoning = "".join(getattr(d, "reasoning_content", "") or "" for d in deltas)
        content = "".join(d.content or "" for d in deltas)
        usage = chunks[-1].usage
    else:
        message = answer.choices[0].message
        reasoning, content, usage = message.reasoning, message.content, answer.usage
        assert message.reasoning_content == reasoning
    assert reasoning
    assert content
    assert "think>" not in reasoning + content
    # Twelve tokens of thinking and the tag that ends it.
    assert usage.completion_tokens_details.reasoning_tokens == 13
    assert usage.completion_tokens == 40


def test_a_schema_holds_after_the_thinking(thinker_server: Server) -> None:
    answer = create(
        thinker_server,
        "thinker",
        max_tokens=120,
        temperature=0,
        response_format={
            "type": "json_schema",
            "json_schema": {"name": "city", "schema": CITY},
        },
    )
    # Without a budget of its own, thinking gets half of what there is.
    assert answer.usage.completion_tokens_details.reasoning_tokens == 61
    assert answer.choices[0].finish_reason == "stop"
    jsonschema.validate(json.loads(answer.choices[0].message.content), CITY)


@pytest.mark.shows("reasoning_effort")
def test_thinking_can_be_turned_off(thinker_server: Server) -> None:
    for options in (
        {"chat_template_kwargs": {"enable_thinking": False}},
        {"reasoning_effort": "none"},
    ):
        answer = create(
            thinker_server, "thinker", max_tokens=10, temperature=0, **options
        )
        assert answer.usage.completion_tokens_details.reasoning_tokens == 0
        assert answer.choices[0].message.content


@pytest.mark.parametrize("effort", ["minimal", "low", "medium", "high", "xhigh", "max"])
def test_no_level_of_effort_is_refused(thinker_server: Server, effort: str) -> None:
    answer = create(
        thinker_server, "thinker", max_tokens=10, temperature=0, reasoning_effort=effort
    )
    assert answer.usage.completion_tokens_details.reasoning_tokens > 0


def test_a_call_of_the_models_own_accord_is_held_to_the_grammar(
    thinker_server: Server,
) -> None:
    # The bias makes it open a call; the grammar has to do the rest.
    opened = str(706)
    options = {"logit_bias": {opened: 100}, "max_tokens": 300, "temperature": 1.0}
    answer = create(
        thinker_server,
        "thinker",
        tools=[WEATHER],
        parallel_tool_calls=False,
        chat_template_kwargs={"enable_thinking": False},
        seed=2,
        **options,
    )
    assert answer.choices[0].finish_reason == "tool_calls"
    name, arguments = call_of(answer)
    assert name == "weather"
    jsonschema.validate(arguments, CITY)
