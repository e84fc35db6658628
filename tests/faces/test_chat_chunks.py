"""The chunk grammar for more than one choice, and how chunks are framed."""

from __future__ import annotations

import json
from typing import Any

from inference.core.errors import AuthenticationError, InferenceError, QueueFullError
from inference.core.requests import (
    Delta,
    TokenAlternative,
    TokenLogprob,
    ToolCallDelta,
    Usage,
)
from inference.faces.chat.answer import ChatWriter
from inference.protocol import sse
from inference.protocol.errors import error_body, error_headers
from inference.protocol.sse import DONE
from inference.protocol.stream_options import StreamOptions


def writer_with(model: str = "m", **options: bool) -> ChatWriter:
    return ChatWriter("req-c", 1, model, StreamOptions(**options))


def choices_of(*deltas: Delta) -> list[dict[str, Any]]:
    writer = writer_with()
    chunks = [json.loads(event.data) for d in deltas for event in writer.events(d)]
    assert writer.ending() == (DONE,)
    return [chunk["choices"][0] for chunk in chunks]


def test_it_gives_each_choice_its_role_and_its_finish_once() -> None:
    choices = choices_of(
        Delta("a", index=1),
        Delta("b", index=0),
        Delta("c", index=1, finish_reason="stop"),
        Delta("", index=0, finish_reason="length", usage=Usage(1, 3)),
    )
    for index, text, reason in ((0, "b", "length"), (1, "ac", "stop")):
        own = [choice for choice in choices if choice["index"] == index]
        assert [c["delta"].get("role") for c in own].count("assistant") == 1
        assert own[0]["delta"]["role"] == "assistant"
        assert "".join(c["delta"].get("content", "") for c in own) == text
        assert [c["finish_reason"] for c in own if c["finish_reason"]] == [reason]
        assert own[-1]["finish_reason"] == reason


def test_it_shows_thinking_under_both_names() -> None:
    _, thought, said = choices_of(Delta(reasoning="Hm."), Delta("4"))
    assert thought["delta"] == {"reasoning_content": "Hm.", "reasoning": "Hm."}
    assert said["delta"] == {"content": "4"}


def begun(index: int, call_id: str, name: str) -> dict[str, Any]:
    """The piece that tells what is called."""
    function = {"name": name, "arguments": ""}
    return {"index": index, "id": call_id, "type": "function", "function": function}


def added(index: int, arguments: str) -> dict[str, Any]:
    """A piece that adds to a call's arguments."""
    return {"index": index, "function": {"arguments": arguments}}


def test_it_names_a_call_once_and_then_adds_to_it_one_piece_a_chunk() -> None:
    first = (ToolCallDelta(0, "c1", "f"),)
    rest = (ToolCallDelta(0, arguments="{}"), ToolCallDelta(1, "c2", "g", "["))
    _, *pieces, end = choices_of(
        Delta(tool_calls=first), Delta(tool_calls=rest, finish_reason="tool_calls")
    )
    told = [begun(0, "c1", "f"), added(0, "{}"), begun(1, "c2", "g"), added(1, "[")]
    assert [piece["delta"] for piece in pieces] == [
        {"tool_calls": [piece]} for piece in told
    ]
    assert {piece["finish_reason"] for piece in pieces} == {None}
    assert end["finish_reason"] == "tool_calls"


def test_a_call_without_arguments_yet_is_told_without_an_empty_addition() -> None:
    _, *pieces = choices_of(
        Delta(tool_calls=(ToolCallDelta(0, "c1", "f"), ToolCallDelta(0)))
    )
    assert [p["delta"] for p in pieces] == [{"tool_calls": [begun(0, "c1", "f")]}]


def test_calls_of_several_choices_keep_to_their_own_choice_and_numbers() -> None:
    choices = choices_of(
        Delta(index=1, tool_calls=(ToolCallDelta(0, "b", "g", "{}"),)),
        Delta(index=0, tool_calls=(ToolCallDelta(0, "a", "f", "{}"),)),
        Delta(index=1, tool_calls=(ToolCallDelta(1, "c", "g", "{}"),)),
    )
    for index, calls in ((0, [(0, "a")]), (1, [(0, "b"), (1, "c")])):
        deltas = [c["delta"] for c in choices if c["index"] == index]
        told = [d["tool_calls"] for d in deltas if "tool_calls" in d]
        assert all(len(pieces) == 1 for pieces in told)
        assert [(p["index"], p["id"]) for (p,) in told if "id" in p] == calls


def test_usage_asked_for_all_along_stands_beside_every_piece_of_a_call() -> None:
    writer = writer_with(include_usage=True, continuous_usage=True)
    called = Delta(tool_calls=(ToolCallDelta(0, "c1", "f", "{}"),), usage=Usage(5, 4))
    usages = [json.loads(event.data)["usage"] for event in writer.events(called)]
    assert [usage["completion_tokens"] for usage in usages] == [4, 4, 4]


def test_it_tells_log_probabilities_beside_the_text_they_belong_to() -> None:
    half = TokenLogprob(b"\xf0\x9f", -0.5, (TokenAlternative(b"a", float("-inf")),))
    _, before, said = choices_of(
        Delta("", logprobs=(half,)), Delta("a", logprobs=(TokenLogprob(b"a", 0.0),))
    )
    assert before["delta"] == {"content": ""}
    assert before["logprobs"] == {
        "content": [
            {
                "token": "\ufffd",
                "logprob": -0.5,
                "bytes": [0xF0, 0x9F],
                "top_logprobs": [{"token": "a", "logprob": -9999.0, "bytes": [97]}],
            }
        ],
        "refusal": None,
    }
    assert said["delta"] == {"content": "a"}
    assert [token["token"] for token in said["logprobs"]["content"]] == ["a"]


def test_it_carries_the_latest_usage_in_every_chunk_when_asked() -> None:
    writer = writer_with(include_usage=True, continuous_usage=True)
    deltas = (Delta("a", usage=Usage(5, 1)), Delta("b"), Delta("c", usage=Usage(5, 3)))
    events = [event for delta in deltas for event in writer.events(delta)]
    usages = [json.loads(event.data)["usage"] for event in (*events, *writer.usage())]
    assert [usage["completion_tokens"] for usage in usages] == [1, 1, 1, 3, 3]


def test_it_writes_nothing_for_a_delta_that_says_nothing() -> None:
    writer = writer_with()
    assert len(writer.events(Delta(""))) == 1
    assert writer.events(Delta("")) == []
    assert sse.framed([]) == b""


def test_an_event_with_a_name_says_it_before_its_data() -> None:
    assert sse.framed([sse.Event(b"{}", b"ping"), sse.DONE]) == (
        b"event: ping\ndata: {}\n\ndata: [DONE]\n\n"
    )


def test_it_escapes_the_models_name() -> None:
    writer = writer_with('a"b\n', include_usage=True)
    events = (*writer.events(Delta("x")), *writer.usage())
    assert {json.loads(event.data)["model"] for event in events} == {'a"b\n'}


def test_it_tells_when_to_come_back_and_how_to_sign_in() -> None:
    assert error_headers(QueueFullError("x")) == {"Retry-After": "5"}
    assert error_headers(AuthenticationError("x")) == {"WWW-Authenticate": "Bearer"}
    assert error_headers(InferenceError("x")) == {}


def test_it_adds_the_older_servers_detail_only_where_there_is_one() -> None:
    assert "detail" in json.loads(error_body(QueueFullError("x")))
    assert "detail" not in json.loads(error_body(InferenceError("x")))


def test_it_bounds_the_message_of_an_error() -> None:
    body = json.loads(error_body(InferenceError("x" * 10_000)))
    assert len(body["error"]["message"]) == 2000
