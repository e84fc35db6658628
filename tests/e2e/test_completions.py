"""Completions from outside: several prompts at once, streams, echoes, scores, rows."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import openai
import pytest

from tests.e2e.servers import wait_until

if TYPE_CHECKING:
    from tests.e2e.servers import Server

TEXT = "one two three"


def create(server: Server, prompt: Any = TEXT, **options: Any) -> Any:
    return server.client().completions.create(
        model="rambler", prompt=prompt, temperature=0, **options
    )


def rows(server: Server) -> list[dict[str, Any]]:
    return [
        row
        for row in server.rows().values()
        if row["endpoint"] == "/v1/completions" and row["outcome"] != "running"
    ]


def test_several_prompts_are_answered_as_each_is_alone(rambler_server: Server) -> None:
    prompts = [TEXT, "four five", "six"]
    alone = [create(rambler_server, prompt).choices[0].text for prompt in prompts]
    together = create(rambler_server, prompts, n=2)
    assert [choice.index for choice in together.choices] == list(range(6))
    assert [choice.text for choice in together.choices] == [
        text for text in alone for _ in range(2)
    ]
    assert together.usage.completion_tokens == 6 * 16


def test_a_stream_has_the_text_and_the_usage_of_the_whole(
    rambler_server: Server,
) -> None:
    whole = create(rambler_server)
    stream = create(rambler_server, stream=True, stream_options={"include_usage": True})
    *chunks, last = list(stream)
    assert "".join(c.choices[0].text for c in chunks) == whole.choices[0].text
    assert last.usage == whole.usage


def test_token_ids_are_a_prompt_like_their_text(rambler_server: Server) -> None:
    scored = create(rambler_server, max_tokens=0, echo=True, logprobs=0)
    told = scored.choices[0].logprobs
    ids = create(rambler_server, [5, 6, 7], max_tokens=0, echo=True, logprobs=1)
    assert told.token_logprobs[0] is None
    assert "".join(told.tokens) == TEXT == scored.choices[0].text
    assert len(ids.choices[0].logprobs.tokens) == 3
    assert ids.choices[0].text == "".join(ids.choices[0].logprobs.tokens)


def test_a_prompt_is_scored_without_an_answer(rambler_server: Server) -> None:
    (choice,) = create(
        rambler_server, max_tokens=0, echo=True, logprobs=2, stream=False
    ).choices
    told = choice.logprobs
    assert (choice.finish_reason, choice.text) == ("length", TEXT)
    assert all(math.isfinite(each) and each <= 0 for each in told.token_logprobs[1:])
    for own, others in zip(told.token_logprobs[1:], told.top_logprobs[1:], strict=True):
        assert len(others) == 2
        assert max(others.values()) >= own
    assert told.text_offset[0] == 0
    assert told.text_offset == sorted(told.text_offset)


def test_a_prompt_of_which_nothing_is_asked_comes_back_as_it_is(
    rambler_server: Server,
) -> None:
    texts = [TEXT, "four"]
    answer = create(rambler_server, texts, max_tokens=0, echo=True)
    assert [choice.text for choice in answer.choices] == texts
    assert {choice.finish_reason for choice in answer.choices} == {"length"}
    assert [choice.logprobs for choice in answer.choices] == [None, None]
    assert answer.usage.completion_tokens == 0


def test_an_echo_stands_before_the_answer(rambler_server: Server) -> None:
    plain = create(rambler_server).choices[0].text
    echoed = create(rambler_server, echo=True).choices[0].text
    assert echoed == TEXT + plain


@pytest.mark.parametrize(
    ("prompt", "param"), [("", "prompt"), ([10**9], "prompt"), ([99_999], "prompt")]
)
def test_what_is_no_prompt_of_the_model_is_refused(
    rambler_server: Server, prompt: Any, param: str
) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        create(rambler_server, prompt)
    assert refused.value.param == param


def test_every_completion_has_its_row(rambler_server: Server) -> None:
    before = len(rows(rambler_server))
    create(rambler_server, [TEXT, "four"], n=2, max_tokens=3)
    found = wait_until(
        lambda: len(rows(rambler_server)) > before and rows(rambler_server),
        "the row of the completion",
    )
    newest = max(found, key=lambda row: row["started_at"])
    assert (newest["choices"], newest["completion_tokens"]) == (4, 12)
    assert (newest["outcome"], newest["finish_reason"]) == ("finished", "length")
    assert newest["prompt_tokens"] > 2
