"""What a chat request may ask of the sampler, and how a mistake is named."""

from __future__ import annotations

from typing import Any

import pytest

from inference.core.limits import Limits
from inference.core.requests import SamplingRequest
from tests.protocol.cast import fault_of, read, refusal_of


@pytest.mark.shows("messages")
def test_it_asks_nothing_of_the_sampler_when_nothing_was_sent() -> None:
    request = read()
    assert request.messages[0].text == "Hi"
    assert request.sampling == SamplingRequest()
    assert (request.model, request.n, request.stream) == (None, 1, False)
    assert (request.include_usage, request.continuous_usage) == (False, False)
    assert (request.tools, request.grammar, request.reasoning_effort) == (None,) * 3
    assert request.template_kwargs == {}
    assert request.params == {}


@pytest.mark.shows(
    "frequency_penalty",
    "logit_bias",
    "max_tokens",
    "model",
    "presence_penalty",
    "seed",
    "stop",
    "stream",
    "stream_options",
    "temperature",
    "top_p",
)
def test_it_reads_every_sampling_parameter() -> None:
    request = read(
        model="m",
        temperature=0,
        top_p=0.5,
        top_k=40,
        min_p=0.05,
        max_tokens=9,
        min_tokens=2,
        seed=-(2**63),
        stop=["a", "b"],
        stop_token_ids=[5],
        ignore_eos=True,
        presence_penalty=1,
        frequency_penalty=-1,
        repetition_penalty=1.5,
        logit_bias={"7": -100},
        xtc_probability=0.5,
        xtc_threshold=0.2,
        thinking_budget=100,
        stream=True,
        stream_options={"include_usage": True, "include_obfuscation": False},
    )
    assert request.sampling == SamplingRequest(
        temperature=0.0,
        top_p=0.5,
        top_k=40,
        min_p=0.05,
        max_tokens=9,
        min_tokens=2,
        seed=-(2**63),
        stop=("a", "b"),
        stop_token_ids=(5,),
        ignore_eos=True,
        presence_penalty=1.0,
        frequency_penalty=-1.0,
        repetition_penalty=1.5,
        logit_bias=((7, -100.0),),
        xtc_probability=0.5,
        xtc_threshold=0.2,
        thinking_budget=100,
    )
    assert (request.model, request.stream, request.include_usage) == ("m", True, True)
    assert not request.continuous_usage


@pytest.mark.shows("max_completion_tokens")
def test_it_lets_max_completion_tokens_win() -> None:
    request = read(max_tokens=5, max_completion_tokens=7)
    assert request.sampling.max_tokens == 7
    assert read(max_tokens=5, max_completion_tokens=None).sampling.max_tokens == 5


@pytest.mark.shows("n")
def test_it_reads_how_many_choices_are_wanted() -> None:
    assert read(n=3).n == 3
    assert fault_of(n=0) == ("integer_below_min_value", "n")
    assert fault_of(n=129) == ("integer_above_max_value", "n")


@pytest.mark.shows("logprobs", "top_logprobs")
def test_it_reads_how_many_alternatives_to_tell() -> None:
    assert read(logprobs=True).sampling.logprobs == 0
    assert read(logprobs=True, top_logprobs=20).sampling.logprobs == 20
    assert read(logprobs=False, top_logprobs=0).sampling.logprobs is None
    assert fault_of(top_logprobs=1) == ("invalid_value", "top_logprobs")
    assert fault_of(top_logprobs=1, logprobs=False)[1] == "top_logprobs"


def test_it_takes_usage_in_every_chunk_for_usage_at_all() -> None:
    request = read(stream=True, stream_options={"continuous_usage_stats": True})
    assert (request.include_usage, request.continuous_usage) == (True, True)


@pytest.mark.shows("reasoning_effort")
def test_it_passes_the_effort_on_for_the_template_to_judge() -> None:
    for effort in ("none", "minimal", "low", "medium", "high", "xhigh", "max"):
        assert read(reasoning_effort=effort).reasoning_effort == effort
    assert fault_of(reasoning_effort="huge") == ("invalid_value", "reasoning_effort")


def test_it_hands_further_arguments_to_the_chat_template() -> None:
    sent = {"enable_thinking": False, "style": {"tone": ["dry"]}}
    assert read(chat_template_kwargs=sent).template_kwargs == sent


@pytest.mark.parametrize(
    ("sent", "code", "param"),
    [
        ([], "invalid_type", "chat_template_kwargs"),
        ({"tools": []}, "unsupported_parameter", "chat_template_kwargs.tools"),
        ({"x": "y" * 20_000}, "invalid_value", "chat_template_kwargs"),
        (dict.fromkeys(map(str, range(65))), "invalid_value", "chat_template_kwargs"),
    ],
)
def test_it_bounds_the_templates_arguments(sent: Any, code: str, param: str) -> None:
    assert fault_of(chat_template_kwargs=sent) == (code, param)


@pytest.mark.parametrize("off", [0, -1])
def test_it_reads_both_ways_to_switch_top_k_off(off: int) -> None:
    assert read(top_k=off).sampling.top_k == 0


def test_it_reads_one_stop_string_as_a_list_of_one() -> None:
    assert read(stop="\n").sampling.stop == ("\n",)
    assert read(stop=[]).sampling.stop == ()


TOO_HUGE = 10**400

MALFORMED: list[tuple[str, Any, str, str]] = [
    ("temperature", "warm", "invalid_type", "temperature"),
    ("temperature", "1e2", "invalid_type", "temperature"),
    ("temperature", "nan", "invalid_type", "temperature"),
    ("temperature", True, "invalid_type", "temperature"),
    ("temperature", [], "invalid_type", "temperature"),
    ("temperature", -0.1, "decimal_below_min_value", "temperature"),
    ("temperature", 2.1, "decimal_above_max_value", "temperature"),
    ("temperature", TOO_HUGE, "decimal_above_max_value", "temperature"),
    ("top_p", -0.1, "decimal_below_min_value", "top_p"),
    ("top_p", 1.01, "decimal_above_max_value", "top_p"),
    ("min_p", -1, "decimal_below_min_value", "min_p"),
    ("min_p", 2, "decimal_above_max_value", "min_p"),
    ("xtc_probability", 1.1, "decimal_above_max_value", "xtc_probability"),
    ("xtc_threshold", 0.6, "decimal_above_max_value", "xtc_threshold"),
    ("top_k", 1.5, "invalid_type", "top_k"),
    ("top_k", False, "invalid_type", "top_k"),
    ("top_k", -2, "integer_below_min_value", "top_k"),
    ("top_k", 10**9, "integer_above_max_value", "top_k"),
    ("n", True, "invalid_type", "n"),
    ("n", "one", "invalid_type", "n"),
    ("n", "0", "integer_below_min_value", "n"),
    ("logprobs", 0, "invalid_type", "logprobs"),
    ("top_logprobs", 21, "integer_above_max_value", "top_logprobs"),
    ("thinking_budget", -1, "integer_below_min_value", "thinking_budget"),
    ("max_tokens", 0, "integer_below_min_value", "max_tokens"),
    ("max_tokens", 1.5, "invalid_type", "max_tokens"),
    ("max_tokens", "10.5", "invalid_type", "max_tokens"),
    ("max_tokens", "", "invalid_type", "max_tokens"),
    ("max_tokens", -2, "integer_below_min_value", "max_tokens"),
    ("max_tokens", 10**12, "integer_above_max_value", "max_tokens"),
    ("max_completion_tokens", -2, "integer_below_min_value", "max_completion_tokens"),
    ("seed", 2**63, "integer_above_max_value", "seed"),
    ("seed", -(2**63) - 1, "integer_below_min_value", "seed"),
    ("seed", 1e300, "invalid_type", "seed"),
    ("seed", True, "invalid_type", "seed"),
    ("stop", 1, "invalid_type", "stop"),
    ("stop", {}, "invalid_type", "stop"),
    ("stop", "", "empty_string", "stop"),
    ("stop", ["a", ""], "empty_string", "stop[1]"),
    ("stop", ["a", None], "invalid_type", "stop[1]"),
    ("stop", ["a"] * 65, "array_above_max_length", "stop"),
    ("stop", ["a", "x" * 513], "string_above_max_length", "stop[1]"),
    ("logit_bias", {"x": 1}, "invalid_value", "logit_bias"),
    ("logit_bias", {"1": None}, "invalid_type", "logit_bias.'1'"),
    ("logit_bias", {"1": 101}, "decimal_above_max_value", "logit_bias.'1'"),
    ("stream", 1, "invalid_type", "stream"),
    ("stream", "true", "invalid_type", "stream"),
    ("model", 1, "invalid_type", "model"),
    ("model", "", "empty_string", "model"),
    ("model", "m" * 513, "string_above_max_length", "model"),
]


@pytest.mark.parametrize(("name", "value", "code", "param"), MALFORMED)
def test_it_names_a_malformed_parameter(
    name: str, value: Any, code: str, param: str
) -> None:
    error = refusal_of(**{name: value})
    assert (error.code, error.param) == (code, param)
    assert f"'{param}'" in error.message


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
    assert fault_of(stream=True, stream_options=options) == (code, param)


@pytest.mark.parametrize("stream", [{}, {"stream": False}, {"stream": None}])
def test_it_ignores_stream_options_without_a_stream(stream: dict[str, Any]) -> None:
    request = read(stream_options={"include_usage": True}, **stream)
    assert request.params["ignored"] == ["stream_options"]
    assert not request.stream


@pytest.mark.parametrize(
    ("name", "sent", "meant"),
    [
        ("max_tokens", 3.0, 3),
        ("max_tokens", "3", 3),
        ("max_tokens", "3.0", 3),
        ("max_tokens", -1, None),
        ("max_tokens", "-1", None),
        ("seed", "-7", -7),
        ("top_k", 40.0, 40),
        ("min_tokens", "2", 2),
        ("temperature", "0.5", 0.5),
        ("temperature", "1", 1.0),
        ("min_p", ".05", 0.05),
        ("presence_penalty", "-1", -1.0),
    ],
)
def test_it_reads_numbers_in_the_forms_that_clients_send(
    name: str, sent: Any, meant: Any
) -> None:
    request = read(**{name: sent})
    assert getattr(request.sampling, name) == meant
    assert request.params == {name: sent}


def test_a_share_of_nothing_is_always_the_likeliest_token() -> None:
    sampling = read(top_p=0, temperature=1).sampling
    assert (sampling.temperature, sampling.top_p) == (0.0, None)


def test_it_follows_the_limits_it_is_given() -> None:
    error = refusal_of(temperature=1.5, limits=Limits(temperature=1.0))
    assert error.param == "temperature"
    assert read(temperature=1.5).sampling.temperature == 1.5


def test_it_keeps_nothing_of_one_request_for_the_next() -> None:
    read(temperature=1, stop="x", stream=True)
    refusal_of(temperature="x")
    assert read().sampling == SamplingRequest()
    assert not read().stream
