"""The chunk grammar for more than one choice, and how chunks are framed."""

from __future__ import annotations

import json
from typing import Any

from inference.core.errors import AuthenticationError, InferenceError, QueueFullError
from inference.core.requests import Delta, Usage
from inference.protocol import sse
from inference.protocol.chunks import ChunkWriter
from inference.protocol.errors import error_body, error_headers


def choices_of(*deltas: Delta) -> list[dict[str, Any]]:
    writer = ChunkWriter(completion_id="c", created=1, model="m", include_usage=False)
    chunks = [json.loads(chunk) for d in deltas for chunk in writer.chunks(d)]
    assert writer.ending() == []
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


def test_it_writes_nothing_for_a_delta_that_says_nothing() -> None:
    writer = ChunkWriter(completion_id="c", created=1, model="m", include_usage=False)
    assert len(writer.chunks(Delta(""))) == 1
    assert writer.chunks(Delta("")) == []
    assert sse.events([]) == b""


def test_it_escapes_the_models_name() -> None:
    writer = ChunkWriter(
        completion_id="c", created=1, model='a"b\n', include_usage=True
    )
    chunks = [*writer.chunks(Delta("x")), *writer.ending()]
    assert {json.loads(chunk)["model"] for chunk in chunks} == {'a"b\n'}


def test_it_tells_when_to_come_back_and_how_to_sign_in() -> None:
    assert error_headers(QueueFullError("x")) == {"Retry-After": "1"}
    assert error_headers(AuthenticationError("x")) == {"WWW-Authenticate": "Bearer"}
    assert error_headers(InferenceError("x")) == {}


def test_it_adds_the_older_servers_detail_only_where_there_is_one() -> None:
    assert "detail" in json.loads(error_body(QueueFullError("x")))
    assert "detail" not in json.loads(error_body(InferenceError("x")))


def test_it_bounds_the_message_of_an_error() -> None:
    body = json.loads(error_body(InferenceError("x" * 10_000)))
    assert len(body["error"]["message"]) == 2000
