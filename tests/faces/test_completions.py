"""A completion's body and answer: prompts of every form, echoes, log-probabilities."""

from __future__ import annotations

import json
from typing import Any

import pytest

from inference.core.collected import CollectedAnswer
from inference.core.errors import InvalidRequestError
from inference.core.limits import DEFAULT_LIMITS
from inference.core.requests import (
    Delta,
    Generate,
    TextPrompt,
    TokenAlternative,
    TokenLogprob,
    TokenPrompt,
    Usage,
)
from inference.faces.completions.answer import CompletionWriter
from inference.faces.completions.body import to_request
from inference.protocol.stream_options import StreamOptions

A = TokenLogprob(b"a", -1.0, (TokenAlternative(b"b", -0.5),))
B = TokenLogprob(b"bc", -2.0, (TokenAlternative(b"d", -0.25),))


def work_of(**body: Any) -> Generate:
    request, _ = to_request({"prompt": "x", **body}, limits=DEFAULT_LIMITS)
    return request.work


def fault_of(**body: Any) -> tuple[str, str | None]:
    with pytest.raises(InvalidRequestError) as refused:
        work_of(**body)
    return refused.value.code, refused.value.param


@pytest.mark.parametrize(
    ("sent", "prompts"),
    [
        ("Once", (TextPrompt("Once"),)),
        (["Once", "Twice"], (TextPrompt("Once"), TextPrompt("Twice"))),
        ([1, 2], (TokenPrompt((1, 2)),)),
        ([[1, 2], [3]], (TokenPrompt((1, 2)), TokenPrompt((3,)))),
    ],
)
def test_it_reads_prompts_of_every_form(sent: Any, prompts: Any) -> None:
    assert work_of(prompt=sent).prompts == prompts


@pytest.mark.parametrize(
    "sent", [[], [[]], ["a", 1], [1, "a"], [[1], "a"], [-1], [[1.5]], {}, 5, [None]]
)
def test_it_refuses_what_is_no_prompt_by_its_name(sent: Any) -> None:
    _, param = fault_of(prompt=sent)
    assert param is not None
    assert param.startswith("prompt")


def test_without_a_word_on_its_length_an_answer_has_sixteen_tokens() -> None:
    assert work_of().sampling.max_tokens == 16
    assert work_of(max_tokens=3).sampling.max_tokens == 3


def test_echoes_are_scored_where_log_probabilities_are_asked_for() -> None:
    assert work_of(echo=True).prompt_logprobs is None
    assert work_of(logprobs=2).prompt_logprobs is None
    work = work_of(echo=True, logprobs=2, max_tokens=0)
    assert (work.prompt_logprobs, work.sampling.logprobs) == (2, 2)
    assert work.sampling.max_tokens == 0


def test_it_refuses_what_would_give_another_answer() -> None:
    assert fault_of(max_tokens=0) == ("invalid_value", "max_tokens")
    assert fault_of(suffix="}") == ("unsupported_parameter", "suffix")
    assert fault_of(n=2, best_of=3) == ("unsupported_parameter", "best_of")
    assert work_of(n=2, best_of=2, suffix="").n == 2


def writer(n: int = 1, **options: bool) -> CompletionWriter:
    return CompletionWriter(
        "req-c", 1, "m", StreamOptions(**options), n=n, server="mlx-server-1"
    )


def whole(*deltas: Delta, n: int = 1) -> list[dict[str, Any]]:
    answer = CollectedAnswer()
    for delta in deltas:
        answer.add(delta)
    choices: list[dict[str, Any]] = json.loads(writer(n).whole(answer))["choices"]
    return choices


def test_a_whole_answer_tells_of_its_prompt_first() -> None:
    (choice,) = whole(
        Delta(prompt_logprobs=(A, B), prompt_text="abc"),
        Delta("a", logprobs=(A,)),
        Delta(finish_reason="length", usage=Usage(2, 1)),
    )
    assert choice["text"] == "abca"
    assert choice["logprobs"] == {
        "tokens": ["a", "bc", "a"],
        "token_logprobs": [None, -2.0, -1.0],
        "top_logprobs": [None, {"d": -0.25}, {"b": -0.5}],
        "text_offset": [0, 1, 3],
    }


def test_all_choices_of_a_prompt_tell_of_its_tokens() -> None:
    choices = whole(
        Delta(prompt_logprobs=(A,), prompt_text="a"),
        Delta("x", index=1, prompt_text="a"),
        Delta("y", index=2, prompt_text="bc", prompt_logprobs=(B,)),
        Delta("z", index=3, prompt_text="bc"),
        n=2,
    )
    assert [choice["logprobs"]["tokens"] for choice in choices] == [
        ["a"],
        ["a"],
        ["bc"],
        ["bc"],
    ]


def test_a_stream_goes_on_with_the_offsets_of_its_text() -> None:
    stream = writer(include_usage=True)
    events = [
        event
        for delta in (
            Delta(prompt_logprobs=(A,), prompt_text="a"),
            Delta("bc", logprobs=(B,)),
            Delta(finish_reason="stop", usage=Usage(1, 1)),
        )
        for event in stream.events(delta)
    ]
    chunks = [json.loads(event.data) for event in events]
    choices = [chunk["choices"][0] for chunk in chunks]
    assert [choice["text"] for choice in choices] == ["a", "bc", ""]
    assert [choice["finish_reason"] for choice in choices] == [None, None, "stop"]
    assert choices[1]["logprobs"]["text_offset"] == [1]
    usage, done = stream.ending()
    assert json.loads(usage.data)["usage"]["completion_tokens"] == 1
    assert done.data == b"[DONE]"


def test_a_bare_delta_is_worth_no_chunk() -> None:
    assert writer().events(Delta()) == ()
