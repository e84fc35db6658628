"""The body of an answer that is not streamed."""

from __future__ import annotations

import json
from typing import Any

from inference.core.collected import CollectedAnswer
from inference.core.requests import Delta, TokenLogprob, ToolCallDelta, Usage
from inference.faces.chat.answer import ChatWriter
from inference.protocol.stream_options import StreamOptions


def body_of(*deltas: Delta) -> dict[str, Any]:
    answer = CollectedAnswer()
    for delta in deltas:
        answer.add(delta)
    body = json.loads(ChatWriter("req-c", 1, "m", StreamOptions()).whole(answer))
    assert isinstance(body, dict)
    return body


def test_it_joins_each_choice_by_its_index() -> None:
    body = body_of(
        Delta("b", index=1),
        Delta("a", index=0),
        Delta("b", index=1, finish_reason="stop"),
        Delta("", index=0, finish_reason="length", usage=Usage(3, 5, 1, 2)),
    )
    assert [
        (choice["index"], choice["message"]["content"], choice["finish_reason"])
        for choice in body["choices"]
    ] == [(0, "a", "length"), (1, "bb", "stop")]
    assert body["usage"]["completion_tokens"] == 5
    assert body["usage"]["completion_tokens_details"] == {"reasoning_tokens": 2}


def test_it_joins_calls_and_leaves_the_content_null() -> None:
    body = body_of(
        Delta(tool_calls=(ToolCallDelta(0, "c1", "f", '{"a"'),)),
        Delta(
            tool_calls=(ToolCallDelta(1, "c2", "g"), ToolCallDelta(0, "", "", ":1}"))
        ),
        Delta(finish_reason="tool_calls", usage=Usage()),
    )
    message = body["choices"][0]["message"]
    assert message["content"] is None
    assert [call["id"] for call in message["tool_calls"]] == ["c1", "c2"]
    assert message["tool_calls"][0] == {
        "id": "c1",
        "type": "function",
        "function": {"name": "f", "arguments": '{"a":1}'},
    }


def test_it_shows_thinking_beside_the_answer() -> None:
    body = body_of(Delta(reasoning="2"), Delta(reasoning="+2"), Delta("4"))
    assert body["choices"][0]["message"] == {
        "role": "assistant",
        "content": "4",
        "refusal": None,
        "reasoning_content": "2+2",
        "reasoning": "2+2",
    }


def test_it_tells_log_probabilities_where_they_were_asked_for() -> None:
    body = body_of(
        Delta("a", logprobs=(TokenLogprob(b"a", -1.0),)),
        Delta("b", logprobs=(TokenLogprob(b"b", -2.0),)),
    )
    content = body["choices"][0]["logprobs"]["content"]
    assert [token["logprob"] for token in content] == [-1.0, -2.0]
    assert body_of(Delta("a"))["choices"][0]["logprobs"] is None
