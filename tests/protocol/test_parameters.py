"""Which parameters a chat request may carry, and what is said of the others."""

from __future__ import annotations

from typing import Any

import pytest

from inference.core.errors import InvalidRequestError
from inference.core.limits import DEFAULT_LIMITS, Limits
from inference.core.requests import GenerationRequest, SamplingRequest
from inference.protocol.chat import ignored_names, to_generation
from inference.protocol.parameters import ChatParameters

MESSAGES = [{"role": "user", "content": "Hi"}]

# createChatCompletion in OpenAI's own document.
OUR_PARAMETERS = [
    "top_k",
    "min_p",
    "repetition_penalty",
    "min_tokens",
    "ignore_eos",
    "stop_token_ids",
]
OPENAI_PARAMETERS = [
    "audio",
    "frequency_penalty",
    "function_call",
    "functions",
    "logit_bias",
    "logprobs",
    "max_completion_tokens",
    "max_tokens",
    "metadata",
    "modalities",
    "model",
    "moderation",
    "n",
    "parallel_tool_calls",
    "prediction",
    "presence_penalty",
    "prompt_cache_key",
    "prompt_cache_options",
    "prompt_cache_retention",
    "reasoning_effort",
    "response_format",
    "safety_identifier",
    "seed",
    "service_tier",
    "stop",
    "store",
    "stream",
    "stream_options",
    "temperature",
    "tool_choice",
    "tools",
    "top_logprobs",
    "top_p",
    "user",
    "verbosity",
    "web_search_options",
]


def read(**body: Any) -> GenerationRequest:
    return to_generation({"messages": MESSAGES, **body}, limits=DEFAULT_LIMITS)


def refusal_of(**body: Any) -> InvalidRequestError:
    with pytest.raises(InvalidRequestError) as refused:
        read(**body)
    assert refused.value.http_status == 400
    return refused.value


def test_it_knows_every_parameter_of_openai() -> None:
    declared = set(ChatParameters().fields)
    assert declared == {*OPENAI_PARAMETERS, *OUR_PARAMETERS}


def test_it_asks_nothing_of_the_sampler_when_nothing_was_sent() -> None:
    request = read()
    assert request.sampling == SamplingRequest()
    assert (request.model, request.stream, request.include_usage) == (
        None,
        False,
        False,
    )
    assert request.params == {}


def test_it_reads_every_sampling_parameter() -> None:
    request = read(
        model="m",
        temperature=0,
        top_p=0.5,
        top_k=40,
        min_p=0.05,
        max_tokens=9,
        seed=-(2**63),
        stop=["a", "b"],
        stream=True,
        stream_options={"include_usage": True, "include_obfuscation": False},
    )
    assert request.sampling == SamplingRequest(
        temperature=0.0,
        top_p=0.5,
        top_k=40,
        min_p=0.05,
        max_tokens=9,
        seed=-(2**63),
        stop=("a", "b"),
    )
    assert (request.model, request.stream, request.include_usage) == ("m", True, True)


@pytest.mark.parametrize("name", OPENAI_PARAMETERS)
def test_it_reads_null_as_absent(name: str) -> None:
    assert read(**{name: None}) == read()


def test_it_lets_max_completion_tokens_win() -> None:
    request = read(max_tokens=5, max_completion_tokens=7)
    assert request.sampling.max_tokens == 7
    assert read(max_tokens=5, max_completion_tokens=None).sampling.max_tokens == 5


@pytest.mark.parametrize("off", [0, -1])
def test_it_reads_both_ways_to_switch_top_k_off(off: int) -> None:
    assert read(top_k=off).sampling.top_k == 0


def test_it_reads_one_stop_string_as_a_list_of_one() -> None:
    assert read(stop="\n").sampling.stop == ("\n",)
    assert read(stop=[]).sampling.stop == ()


TOO_HUGE = 10**400

MALFORMED: list[tuple[str, Any, str, str]] = [
    ("temperature", "1", "invalid_type", "temperature"),
    ("temperature", True, "invalid_type", "temperature"),
    ("temperature", [], "invalid_type", "temperature"),
    ("temperature", -0.1, "decimal_below_min_value", "temperature"),
    ("temperature", 2.1, "decimal_above_max_value", "temperature"),
    ("temperature", TOO_HUGE, "decimal_above_max_value", "temperature"),
    ("top_p", 0, "decimal_below_min_value", "top_p"),
    ("top_p", 1.01, "decimal_above_max_value", "top_p"),
    ("min_p", -1, "decimal_below_min_value", "min_p"),
    ("min_p", 2, "decimal_above_max_value", "min_p"),
    ("top_k", 1.0, "invalid_type", "top_k"),
    ("top_k", False, "invalid_type", "top_k"),
    ("top_k", -2, "integer_below_min_value", "top_k"),
    ("top_k", 10**9, "integer_above_max_value", "top_k"),
    ("max_tokens", 0, "integer_below_min_value", "max_tokens"),
    ("max_tokens", 1.5, "invalid_type", "max_tokens"),
    ("max_tokens", "10", "invalid_type", "max_tokens"),
    ("max_tokens", 10**12, "integer_above_max_value", "max_tokens"),
    ("max_completion_tokens", -1, "integer_below_min_value", "max_completion_tokens"),
    ("seed", 2**63, "integer_above_max_value", "seed"),
    ("seed", -(2**63) - 1, "integer_below_min_value", "seed"),
    ("seed", 1.0, "invalid_type", "seed"),
    ("seed", True, "invalid_type", "seed"),
    ("stop", 1, "invalid_type", "stop"),
    ("stop", {}, "invalid_type", "stop"),
    ("stop", "", "empty_string", "stop"),
    ("stop", ["a", ""], "empty_string", "stop[1]"),
    ("stop", ["a", None], "invalid_type", "stop[1]"),
    ("stop", ["a"] * 5, "array_above_max_length", "stop"),
    ("stop", ["a", "x" * 513], "string_above_max_length", "stop[1]"),
    ("stream", 1, "invalid_type", "stream"),
    ("stream", "true", "invalid_type", "stream"),
    ("model", 1, "invalid_type", "model"),
    ("model", "", "empty_string", "model"),
    ("model", "m" * 513, "string_above_max_length", "model"),
    ("user", 1, "invalid_type", "user"),
    ("metadata", [], "invalid_type", "metadata"),
    ("prompt_cache_key", {}, "invalid_type", "prompt_cache_key"),
]


@pytest.mark.parametrize(("name", "value", "code", "param"), MALFORMED)
def test_it_names_a_malformed_parameter(
    name: str, value: Any, code: str, param: str
) -> None:
    error = refusal_of(**{name: value})
    assert (error.code, error.param) == (code, param)
    assert f"'{param}'" in error.message
    assert len(error.message) < 300


@pytest.mark.parametrize(
    ("options", "code", "param"),
    [
        (True, "invalid_type", "stream_options"),
        ([], "invalid_type", "stream_options"),
        ({"include_usage": 1}, "invalid_type", "stream_options.include_usage"),
    ],
)
def test_it_names_a_malformed_stream_option(
    options: Any, code: str, param: str
) -> None:
    error = refusal_of(stream=True, stream_options=options)
    assert (error.code, error.param) == (code, param)


@pytest.mark.parametrize("stream", [{}, {"stream": False}, {"stream": None}])
def test_it_refuses_stream_options_without_a_stream(stream: dict[str, Any]) -> None:
    error = refusal_of(stream_options={"include_usage": True}, **stream)
    assert error.param == "stream_options"


UNSUPPORTED: list[tuple[str, Any]] = [
    ("n", 2),
    ("n", True),
    ("n", "1"),
    ("logprobs", True),
    ("logprobs", 0),
    ("top_logprobs", 5),
    ("response_format", {"type": "json_object"}),
    ("response_format", {"type": "json_schema", "json_schema": {"name": "x"}}),
    ("tools", [{"type": "function", "function": {"name": "f"}}]),
    ("tool_choice", "required"),
    ("tool_choice", {"type": "function", "function": {"name": "f"}}),
    ("parallel_tool_calls", False),
    ("functions", [{"name": "f"}]),
    ("function_call", {"name": "f"}),
    ("reasoning_effort", "high"),
    ("verbosity", "low"),
    ("modalities", ["text", "audio"]),
    ("audio", {"voice": "alloy", "format": "wav"}),
    ("prediction", {"type": "content", "content": "x"}),
    ("web_search_options", {}),
    ("moderation", {}),
    ("service_tier", "flex"),
    ("store", True),
]


@pytest.mark.parametrize(("name", "value"), UNSUPPORTED)
def test_it_refuses_by_name_what_it_cannot_honour(name: str, value: Any) -> None:
    error = refusal_of(**{name: value})
    assert (error.code, error.param) == ("unsupported_parameter", name)
    assert f"'{name}'" in error.message


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
    ("tool_choice", "auto"),
    ("parallel_tool_calls", True),
    ("functions", []),
    ("function_call", "none"),
    ("reasoning_effort", "medium"),
    ("verbosity", "medium"),
    ("modalities", ["text"]),
    ("service_tier", "auto"),
    ("service_tier", "default"),
    ("store", False),
    ("user", "u-1"),
    ("user", ""),
    ("metadata", {"a": "b"}),
    ("safety_identifier", "s"),
    ("prompt_cache_key", "k"),
    ("prompt_cache_retention", "24h"),
    ("prompt_cache_options", {"ttl": "30m"}),
]


@pytest.mark.parametrize(("name", "value"), DEFAULTS)
def test_it_takes_a_default_and_what_has_no_effect(name: str, value: Any) -> None:
    request = read(**{name: value})
    assert request.sampling == SamplingRequest()
    assert request.params == {name: value}
    assert ignored_names(request) == []


def test_it_lists_the_names_that_nobody_knows() -> None:
    request = read(mirostat=1, chat_template_kwargs={"x": 1}, top_p=1)
    assert ignored_names(request) == ["mirostat", "chat_template_kwargs"]
    assert request.params == {"top_p": 1, "ignored": ignored_names(request)}


def test_it_lists_unknown_keys_of_messages_once() -> None:
    messages = [{"role": "user", "content": "Hi", "weight": 1}] * 3
    request = to_generation({"messages": messages}, limits=DEFAULT_LIMITS)
    assert ignored_names(request) == ["messages[].weight"]


def test_it_bounds_the_list_of_unknown_names() -> None:
    request = read(**{f"{i:03}{'x' * 500}": 1 for i in range(500)})
    assert len(ignored_names(request)) == 20
    assert max(map(len, ignored_names(request))) == 64


def test_it_records_the_parameters_but_neither_messages_nor_long_values() -> None:
    request = read(model="m", stop=["x"], metadata={"k": "v" * 5000}, seed=3)
    assert request.params == {
        "stop": ["x"],
        "metadata": "(5008 bytes)",
        "seed": 3,
    }


def test_it_follows_the_limits_it_is_given() -> None:
    body = {"messages": MESSAGES, "temperature": 1.5}
    with pytest.raises(InvalidRequestError):
        to_generation(body, limits=Limits(temperature=1.0))
    assert read(temperature=1.5).sampling.temperature == 1.5


def test_it_keeps_nothing_of_one_request_for_the_next() -> None:
    read(temperature=1, stop="x", stream=True)
    refusal_of(temperature="x")
    assert read().sampling == SamplingRequest()
    assert not read().stream
