"""Choices, log-probabilities and structured output through the SDK."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import jsonschema
import openai
import pytest

if TYPE_CHECKING:
    from tests.e2e.servers import Server

COUNT = [{"role": "user", "content": "Count to twenty."}]
PERSON = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "maxLength": 12},
        "age": {"anyOf": [{"type": "integer", "minimum": 0, "maximum": 99}]},
    },
    "required": ["name", "age"],
    "additionalProperties": False,
}


def create(server: Server, **options: Any) -> Any:
    extra = {
        name: options.pop(name)
        for name in list(options)
        if name.startswith(("guided_", "structured_", "xtc_", "ignore_"))
    }
    return server.client().chat.completions.create(
        model="tiny-qwen2-vl", messages=COUNT, extra_body=extra, **options
    )


def schema_format(schema: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "json_schema",
        "json_schema": {"name": "it", "schema": schema, "strict": True},
    }


def newest_row(server: Server, count: int) -> dict[str, Any]:
    return list(server.wait_rows(count).values())[-1]


@pytest.mark.shows("n", "seed")
def test_it_answers_several_times_from_one_prompt(tiny_server: Server) -> None:
    one = create(tiny_server, max_tokens=6)
    three = create(tiny_server, max_tokens=6, n=3)
    text = one.choices[0].message.content
    assert [c.message.content for c in three.choices] == [text] * 3
    assert [c.index for c in three.choices] == [0, 1, 2]
    assert three.usage.prompt_tokens == one.usage.prompt_tokens
    assert three.usage.completion_tokens == 3 * one.usage.completion_tokens
    hot = {"max_tokens": 12, "temperature": 2.0, "seed": 4}
    four = [c.message.content for c in create(tiny_server, n=4, **hot).choices]
    assert len(set(four)) > 1
    assert four[0] == create(tiny_server, **hot).choices[0].message.content
    assert four == [c.message.content for c in create(tiny_server, n=4, **hot).choices]


def test_its_choices_interleave_when_streamed_and_leave_one_row(
    tiny_server: Server,
) -> None:
    before = tiny_server.count_rows()
    alone = create(tiny_server, max_tokens=200, ignore_eos=True)
    chunks = list(
        create(
            tiny_server,
            max_tokens=200,
            ignore_eos=True,
            n=4,
            stream=True,
            stream_options={"include_usage": True},
        )
    )
    texts = dict.fromkeys(range(4), "")
    order = []
    for chunk in chunks:
        for choice in chunk.choices:
            if choice.delta.content:
                order.append(choice.index)
                texts[choice.index] += choice.delta.content
    assert set(texts.values()) == {alone.choices[0].message.content}
    assert order != sorted(order)
    usage = chunks[-1].usage
    assert usage.prompt_tokens == alone.usage.prompt_tokens
    assert usage.completion_tokens == 4 * alone.usage.completion_tokens
    row = newest_row(tiny_server, before + 2)
    assert (row["prompt_tokens"], row["choices"]) == (usage.prompt_tokens, 4)
    assert row["completion_tokens"] == usage.completion_tokens


def test_it_refuses_more_choices_than_seats(tiny_server: Server) -> None:
    with pytest.raises(openai.BadRequestError) as refusal:
        create(tiny_server, n=33)
    assert refusal.value.param == "n"


@pytest.mark.shows("logprobs", "top_logprobs")
@pytest.mark.parametrize("stream", [False, True])
def test_the_bytes_of_its_tokens_join_to_the_text(
    tiny_server: Server, stream: bool
) -> None:
    options = {"max_tokens": 30, "temperature": 1.5, "seed": 9, "stop": ["zz"]}
    answer = create(
        tiny_server, **options, logprobs=True, top_logprobs=20, stream=stream
    )
    if stream:
        chunks = [chunk.choices[0] for chunk in answer if chunk.choices]
        text = "".join(c.delta.content or "" for c in chunks)
        entries = [e for c in chunks if c.logprobs for e in c.logprobs.content]
    else:
        text = answer.choices[0].message.content
        entries = answer.choices[0].logprobs.content
    assert b"".join(bytes(entry.bytes) for entry in entries) == text.encode()
    assert text == create(tiny_server, **options).choices[0].message.content
    for entry in entries:
        assert entry.logprob <= 0
        tops = [top.logprob for top in entry.top_logprobs]
        assert len(tops) == 20
        assert tops == sorted(tops, reverse=True)
        assert entry.logprob <= tops[0]


def test_greedy_tokens_are_the_likeliest(tiny_server: Server) -> None:
    entries = create(tiny_server, max_tokens=8, logprobs=True, top_logprobs=1)
    for entry in entries.choices[0].logprobs.content:
        assert entry.token == entry.top_logprobs[0].token
        assert entry.logprob == entry.top_logprobs[0].logprob


@pytest.mark.shows("response_format")
@pytest.mark.parametrize("temperature", [0.0, 1.5])
def test_an_answer_fits_the_schema(tiny_server: Server, temperature: float) -> None:
    answer = create(
        tiny_server,
        temperature=temperature,
        seed=1,
        max_tokens=200,
        response_format=schema_format(PERSON),
    ).choices[0]
    assert answer.finish_reason == "stop"
    jsonschema.validate(json.loads(answer.message.content), PERSON)


@pytest.mark.parametrize(
    ("options", "good"),
    [
        ({"guided_regex": "[0-9]{3}-[a-c]{2}"}, "0123456789-abc"),
        ({"guided_choice": ["sì", 'no, "never"']}, ""),
        ({"guided_grammar": 'start: "a" "b"'}, "ab"),
        ({"structured_outputs": {"regex": "x{5}"}}, "x"),
    ],
)
def test_an_answer_fits_vllms_grammars(
    tiny_server: Server, options: dict[str, Any], good: str
) -> None:
    answer = create(tiny_server, max_tokens=50, **options).choices[0]
    assert answer.finish_reason == "stop"
    if good:
        assert set(answer.message.content) <= set(good)
    else:
        assert answer.message.content in options["guided_choice"]


def test_a_structure_ends_its_answer_also_where_end_tokens_do_not(
    tiny_server: Server,
) -> None:
    answer = create(
        tiny_server,
        max_tokens=50,
        temperature=0,
        logit_bias={"699": 100},
        guided_regex="[a-z]{1,30}",
        ignore_eos=True,
    ).choices[0]
    assert answer.finish_reason == "stop"
    assert answer.message.content.isalpha()


def test_a_number_beyond_64_bits_is_a_clear_error(tiny_server: Server) -> None:
    schema = {"type": "object", "properties": {"a": {"maximum": 10**25}}}
    tool = {"type": "function", "function": {"name": "f", "parameters": schema}}
    with pytest.raises(openai.BadRequestError) as refusal:
        create(tiny_server, max_tokens=3, tools=[tool])
    assert refusal.value.param.startswith("tools")


def test_a_schema_that_cannot_be_enforced_is_refused_by_its_keyword(
    tiny_server: Server,
) -> None:
    before = tiny_server.count_rows()
    with pytest.raises(openai.BadRequestError) as refusal:
        create(tiny_server, response_format=schema_format({"not": {}}))
    assert refusal.value.param == "response_format.json_schema.schema"
    assert "'not'" in refusal.value.message
    row = newest_row(tiny_server, before + 1)
    assert (row["outcome"], row["structured"]) == ("invalid", "json_schema")
    assert not row["admitted"]


def test_an_answer_cut_by_length_says_so(tiny_server: Server) -> None:
    answer = create(
        tiny_server, max_tokens=3, response_format=schema_format(PERSON)
    ).choices[0]
    assert answer.finish_reason == "length"


def test_unknown_parameters_are_named_or_refused(
    start_server: Any, tiny_model_dir: Any
) -> None:
    server = start_server(tiny_model_dir, STRICT_PARAMS="1").wait_ready()
    with pytest.raises(openai.BadRequestError) as refusal:
        server.client().chat.completions.create(
            model="tiny-qwen2-vl", messages=COUNT, extra_body={"tempreature": 1}
        )
    assert refusal.value.code == "unknown_parameter"
    assert "tempreature" in refusal.value.message


def test_all_seats_of_a_request_come_free_when_its_client_goes(
    rambler_server: Server,
) -> None:
    before = rambler_server.count_rows()
    stream = rambler_server.client().chat.completions.create(
        model="rambler",
        messages=COUNT,
        n=8,
        stream=True,
        max_tokens=5000,
        temperature=0,
    )
    for _ in range(20):
        next(stream)
    active = rambler_server.get("/v1/queue/stats")["queue_stats"]["active_requests"]
    assert active == 8
    stream.close()
    rambler_server.wait_idle()
    row = newest_row(rambler_server, before + 1)
    assert (row["outcome"], row["choices"]) == ("cancelled", 8)
