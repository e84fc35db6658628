"""Sampling parameters through the SDK: honoured inside the batch, or refused."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import openai
import pytest

if TYPE_CHECKING:
    from tests.e2e.servers import Server

COUNT = [{"role": "user", "content": "Count to twenty."}]


def answer(server: Server, **options: Any) -> Any:
    extra = {
        name: options.pop(name)
        for name in ("repetition_penalty", "min_tokens", "ignore_eos", "stop_token_ids")
        if name in options
    }
    return server.client().chat.completions.create(
        model="tiny-qwen2-vl", messages=COUNT, extra_body=extra, **options
    )


def text_of(completion: Any) -> str:
    return completion.choices[0].message.content or ""


def test_it_never_repeats_what_is_penalised_enough(rambler_server: Server) -> None:
    create = rambler_server.client().chat.completions.create
    body = {"model": "rambler", "messages": COUNT, "temperature": 0, "max_tokens": 60}
    free = text_of(create(**body))
    held = text_of(create(**body, presence_penalty=2, frequency_penalty=2))
    assert held != free


def test_it_ends_at_a_stop_token_and_counts_it(tiny_server: Server) -> None:
    # The ids of this model's tokens follow from an answer cut after each.
    four = answer(tiny_server, max_tokens=4)
    assert text_of(four) == "one two three four"
    biased = answer(tiny_server, max_tokens=4, logit_bias={"699": 100})
    assert (text_of(biased), biased.choices[0].finish_reason) == ("", "stop")
    assert biased.usage.completion_tokens == 1


def test_it_does_not_end_before_min_tokens(tiny_server: Server) -> None:
    longer = answer(tiny_server, min_tokens=30, max_tokens=40)
    assert longer.usage.completion_tokens >= 30
    assert text_of(longer).startswith("one two three")


def test_it_ignores_the_end_token_when_told_to(tiny_server: Server) -> None:
    endless = answer(tiny_server, ignore_eos=True, max_tokens=40)
    assert endless.usage.completion_tokens == 40
    assert endless.choices[0].finish_reason == "length"


def test_it_gives_penalised_rows_the_same_answer_in_a_crowd(
    rambler_server: Server,
) -> None:
    client = rambler_server.async_client()
    body = {"model": "rambler", "messages": COUNT, "max_tokens": 30, "temperature": 0}
    variants: list[dict[str, Any]] = [
        {},
        {"presence_penalty": 1.0},
        {"frequency_penalty": 1.5},
        {"extra_body": {"repetition_penalty": 1.5}},
        {"logit_bias": {"5": 100}},
        {"temperature": 1.0, "seed": 3, "frequency_penalty": 0.5},
    ]

    async def ask(options: dict[str, Any]) -> str:
        return text_of(await client.chat.completions.create(**(body | options)))

    async def run() -> None:
        alone = [await ask(options) for options in variants]
        crowd = await asyncio.gather(*(ask(options) for options in variants * 2))
        assert crowd == alone * 2
        assert len(set(alone)) >= 4

    asyncio.run(run())


@pytest.mark.parametrize(
    ("options", "param"),
    [
        ({"logit_bias": {"100000": 1}}, "logit_bias"),
        ({"stop_token_ids": [100000]}, "stop_token_ids"),
        ({"logit_bias": {"five": 1}}, "logit_bias"),
        ({"logit_bias": {"5": 101}}, "logit_bias.'5'"),
        ({"presence_penalty": 3}, "presence_penalty"),
        ({"repetition_penalty": 0}, "repetition_penalty"),
        ({"min_tokens": -1}, "min_tokens"),
    ],
)
def test_it_names_the_parameter_that_cannot_be_honoured(
    tiny_server: Server, options: dict[str, Any], param: str
) -> None:
    with pytest.raises(openai.BadRequestError) as refusal:
        answer(tiny_server, **options)
    assert refusal.value.param == param
