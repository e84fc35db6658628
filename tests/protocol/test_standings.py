"""What has no effect, what is refused, and what becomes of names nobody knows."""

from __future__ import annotations

import json
from typing import Any

import pytest

from inference.core.described import ignored_names
from inference.core.limits import DEFAULT_LIMITS
from inference.core.requests import SamplingRequest
from inference.faces.chat.body import to_request
from inference.management.commands.api_reference import openai_fields
from tests.protocol.cast import MESSAGES, fault_of, flat, read, refusal_of


@pytest.mark.parametrize("name", openai_fields())
def test_it_reads_null_as_absent(name: str) -> None:
    if name != "messages":
        assert read(**{name: None}) == read()


UNSUPPORTED: list[tuple[str, Any]] = [
    ("functions", [{"name": "f"}]),
    ("function_call", {"name": "f"}),
    ("modalities", ["text", "audio"]),
    ("audio", {"voice": "alloy", "format": "wav"}),
    ("moderation", {"model": "m"}),
]
IGNORED: list[tuple[str, Any]] = [
    ("verbosity", "low"),
    ("store", True),
    ("safety_identifier", "s"),
    ("prompt_cache_key", {"any": "thing"}),
    ("prompt_cache_retention", "24h"),
    ("prompt_cache_options", {"ttl": "30m"}),
    ("web_search_options", {}),
    ("modalities", ["text"]),
]


@pytest.mark.shows(
    "audio",
    "function_call",
    "functions",
    "modalities",
    "moderation",
)
@pytest.mark.parametrize(("name", "value"), UNSUPPORTED)
def test_it_refuses_by_name_what_it_cannot_honour(name: str, value: Any) -> None:
    error = refusal_of(**{name: value})
    assert (error.code, error.param) == ("unsupported_parameter", name)
    assert f"'{name}'" in error.message


@pytest.mark.shows(
    "prompt_cache_key",
    "prompt_cache_options",
    "prompt_cache_retention",
    "safety_identifier",
    "store",
    "verbosity",
    "web_search_options",
)
@pytest.mark.parametrize(("name", "value"), IGNORED)
def test_it_ignores_by_name_what_has_no_meaning_here(name: str, value: Any) -> None:
    request = read(**{name: value})
    assert request.sampling == SamplingRequest()
    assert request.params == {name: value, "ignored": [name]}
    error = refusal_of(strict=True, **{name: value})
    assert (error.code, error.param) == ("unknown_parameter", name)


def test_it_points_from_functions_to_tools() -> None:
    assert "Use 'tools'." in refusal_of(functions=[{"name": "f"}]).message
    assert "Use 'tool_choice'." in refusal_of(function_call={"name": "f"}).message


NO_EFFECT: list[tuple[str, Any]] = [
    ("user", "u-1"),
    ("user", ""),
    ("metadata", {"a": "b"}),
    ("service_tier", "flex"),
    ("prediction", {"type": "content", "content": "x"}),
]
DEFAULTS: list[tuple[str, Any]] = [
    ("n", 1),
    ("frequency_penalty", 0),
    ("presence_penalty", 0.0),
    ("logit_bias", {}),
    ("logprobs", False),
    ("top_logprobs", 0),
    ("response_format", {"type": "text"}),
    ("tools", []),
    ("tool_choice", "none"),
    ("parallel_tool_calls", True),
    ("functions", []),
    ("function_call", "none"),
    ("function_call", "auto"),
    ("verbosity", "medium"),
    ("service_tier", "auto"),
    ("store", False),
]


@pytest.mark.shows(
    "metadata",
    "prediction",
    "service_tier",
    "user",
)
@pytest.mark.parametrize(("name", "value"), [*NO_EFFECT, *DEFAULTS])
def test_it_takes_a_default_and_what_has_no_effect(name: str, value: Any) -> None:
    request = read(**{name: value})
    assert request.sampling == SamplingRequest()
    assert (request.n, request.tools, request.grammar) == (1, None, None)
    assert request.params == {name: value}
    assert ignored_names(request.params) == []


@pytest.mark.parametrize(
    ("name", "value", "code", "param"),
    [
        ("user", 1, "invalid_type", "user"),
        ("modalities", "text", "invalid_type", "modalities"),
        ("function_call", 1, "invalid_type", "function_call"),
        ("service_tier", "slow", "invalid_value", "service_tier"),
        ("prediction", {"type": "x"}, "invalid_value", "prediction.type"),
        (
            "prediction",
            {"type": "content"},
            "missing_required_parameter",
            "prediction.content",
        ),
        ("metadata", [], "invalid_type", "metadata"),
        ("metadata", {"a": 1}, "invalid_type", "metadata.a"),
        ("metadata", {"a": "v" * 513}, "string_above_max_length", "metadata.a"),
        ("metadata", {"k" * 65: "v"}, "invalid_value", f"metadata.{'k' * 64}…"),
        (
            "metadata",
            dict.fromkeys(map(str, range(17)), "v"),
            "invalid_value",
            "metadata",
        ),
    ],
)
def test_it_checks_what_has_no_effect_too(
    name: str, value: Any, code: str, param: str
) -> None:
    assert fault_of(**{name: value}) == (code, param)


def test_the_last_message_of_an_assistant_may_be_continued() -> None:
    said = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]
    for more in ({}, {"add_generation_prompt": False}):
        request = read(messages=said, continue_final_message=True, **more)
        assert request.continue_final_message
        assert not request.add_generation_prompt
    assert read(add_generation_prompt=True).add_generation_prompt
    assert not read(add_generation_prompt=False).add_generation_prompt
    assert read(continue_final_message=False).add_generation_prompt


@pytest.mark.parametrize(
    ("last", "more", "param"),
    [
        ({"role": "user", "content": "a"}, {}, "messages[1].role"),
        (
            {"role": "assistant", "content": "a"},
            {"add_generation_prompt": True},
            "continue_final_message",
        ),
        (
            {
                "role": "assistant",
                "tool_calls": [
                    {
                        "id": "c",
                        "type": "function",
                        "function": {"name": "f", "arguments": "{}"},
                    }
                ],
            },
            {},
            "messages[1].tool_calls",
        ),
    ],
)
def test_nothing_else_can_be_continued(
    last: dict[str, Any], more: dict[str, Any], param: str
) -> None:
    said = [{"role": "user", "content": "a"}, last]
    assert fault_of(messages=said, continue_final_message=True, **more) == (
        "invalid_value",
        param,
    )


def test_it_lists_the_names_that_nobody_knows() -> None:
    request = read(mirostat=1, top_p=1, typical_p=None)
    assert ignored_names(request.params) == ["mirostat"]
    assert request.params == {"top_p": 1, "ignored": ["mirostat"]}


def test_it_lists_unknown_names_at_any_depth_once() -> None:
    tool = {"type": "function", "function": {"name": "f", "cost": 1}, "price": 2}
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": ""}}
    image = {"url": "https://x/y.png", "size": 1}
    part = {"type": "image_url", "image_url": image, "cache_control": {}}
    request = read(
        messages=[
            *[{"role": "user", "content": "Hi", "weight": 1}] * 3,
            {"role": "user", "content": [part, part]},
            {"role": "assistant", "tool_calls": [call | {"cost": 1}]},
        ],
        stream=True,
        stream_options={"foo": 1},
        tools=[tool, tool | {"function": {"name": "g"}}],
        structured_outputs=None,
    )
    assert ignored_names(request.params) == [
        "messages[].weight",
        "messages[].content[].cache_control",
        "messages[].content[].image_url.size",
        "messages[].tool_calls[].cost",
        "stream_options.foo",
        "tools[].price",
        "tools[].function.cost",
    ]


def test_it_lists_unknown_names_of_a_response_format() -> None:
    schema = {"name": "n", "schema": {"anything": 1}, "foo": 1}
    form = {"type": "json_schema", "json_schema": schema, "bar": 1}
    assert ignored_names(read(response_format=form).params) == [
        "response_format.bar",
        "response_format.json_schema.foo",
    ]


def test_it_bounds_the_list_of_unknown_names() -> None:
    request = read(**{f"{i:03}{'x' * 500}": 1 for i in range(500)})
    assert len(ignored_names(request.params)) == 20
    assert max(map(len, ignored_names(request.params))) == 64


def test_it_refuses_all_unknown_names_where_it_is_strict() -> None:
    error = refusal_of(strict=True, mirostat=1, top_p=1, typical_p=1)
    assert (error.code, error.param) == ("unknown_parameter", "mirostat")
    assert error.message == "Unknown parameters: 'mirostat', 'typical_p'."
    body = {"messages": MESSAGES, "top_p": 1}
    taken = to_request(body, limits=DEFAULT_LIMITS, strict=True)
    assert flat(*taken) == read(top_p=1)


def test_it_records_the_parameters_but_neither_messages_nor_long_values() -> None:
    metadata = {str(i): "v" * 500 for i in range(16)}
    request = read(model="m", stop=["x"], metadata=metadata, seed=3, logit_bias={})
    assert request.params == {
        "stop": ["x"],
        "metadata": metadata,
        "seed": 3,
        "logit_bias": {},
    }
    tool = {"type": "function", "function": {"name": "f", "description": "d" * 5000}}
    size = len(json.dumps([tool], separators=(",", ":")))
    assert read(tools=[tool]).params == {"tools": f"({size} bytes)"}
