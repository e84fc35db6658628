"""A message on the wire: the same blocks whole, streamed, and however it is cut."""

from __future__ import annotations

import json
import random
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
from anthropic.types import Message, RawMessageStreamEvent
from pydantic import TypeAdapter

from inference.core.collected import CollectedAnswer
from inference.core.errors import (
    AuthenticationError,
    BodyTooLargeError,
    ForbiddenError,
    InferenceError,
    InvalidRequestError,
    ModelNotFoundError,
    ModelUnavailableError,
    QueueFullError,
)
from inference.core.requests import Delta, ToolCallDelta, Usage
from inference.faces.messages.answer import MessageWriter, error_body

if TYPE_CHECKING:
    from collections.abc import Iterable

THOUGHT, TEXT, ARGUMENTS = "Let me see.", "It is 3 ° in Zürich.", '{"at": [1, 2]}'
CALLS = ("first", "second")
USAGE = Usage(prompt_tokens=10, completion_tokens=7, cached_tokens=4)


def letters() -> list[Delta]:
    """Return an answer cut into its letters."""
    deltas = [Delta(reasoning=letter) for letter in THOUGHT]
    deltas += [Delta(text=letter) for letter in TEXT]
    for index, name in enumerate(CALLS):
        deltas.append(Delta(tool_calls=(ToolCallDelta(index, f"c{index}", name),)))
        deltas += [
            Delta(tool_calls=(ToolCallDelta(index, arguments=letter),))
            for letter in ARGUMENTS
        ]
    return deltas


def merged(deltas: Iterable[Delta]) -> Delta:
    group = list(deltas)
    return Delta(
        text="".join(delta.text for delta in group),
        reasoning="".join(delta.reasoning for delta in group),
        tool_calls=tuple(call for delta in group for call in delta.tool_calls),
        usage=USAGE,
    )


def cut(seed: int) -> list[Delta]:
    """Return the answer in pieces as they may come."""
    rng, whole = random.Random(seed), letters()
    edges = sorted({0, len(whole), *rng.sample(range(len(whole)), rng.randrange(9))})
    pieces = [merged(whole[a:b]) for a, b in pairwise(edges)]
    return [*pieces, Delta(finish_reason="tool_calls", usage=USAGE)]


def events_of(deltas: Iterable[Delta], **options: bool) -> list[dict[str, Any]]:
    writer = MessageWriter("req-1", "m", **options)
    events = [event for delta in deltas for event in writer.events(delta)]
    told = [json.loads(event.data) for event in (*events, *writer.ending())]
    names = [event.name.decode() for event in (*events, *writer.ending()[-2:])]
    assert names[-2:] == ["message_delta", "message_stop"]
    return told


def put_together(events: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the message as a client puts it together from its events."""
    start, *rest = events
    message: dict[str, Any] = start["message"]
    arguments: dict[int, str] = {}
    for event in rest:
        blocks = message["content"]
        match event["type"]:
            case "content_block_start":
                assert event["index"] == len(blocks)
                blocks.append(event["content_block"])
            case "content_block_delta":
                assert event["index"] == len(blocks) - 1
                delta = event["delta"]
                kind = delta.pop("type")
                for name, piece in delta.items():
                    if kind == "input_json_delta":
                        at = event["index"]
                        arguments[at] = arguments.get(at, "") + piece
                    else:
                        blocks[-1][name] += piece
            case "message_delta":
                message |= event["delta"]
                message["usage"] |= event["usage"]
    for index, text in arguments.items():
        message["content"][index]["input"] = json.loads(text)
    return message


def whole(deltas: Iterable[Delta], **options: bool) -> dict[str, Any]:
    answer = CollectedAnswer()
    for delta in deltas:
        answer.add(delta)
    body: dict[str, Any] = json.loads(
        MessageWriter("req-1", "m", **options).whole(answer)
    )
    return body


@pytest.mark.parametrize("hides", [False, True])
@pytest.mark.parametrize("seed", range(20))
def test_it_has_the_same_blocks_however_it_is_cut(seed: int, hides: bool) -> None:
    deltas = cut(seed)
    message = put_together(events_of(deltas, hides_thinking=hides))
    assert message == whole(deltas, hides_thinking=hides)
    assert message == whole(cut(seed + 1), hides_thinking=hides)
    kinds = [block["type"] for block in message["content"]]
    assert kinds == ["thinking", "text", "tool_use", "tool_use"]
    assert [block["input"] for block in message["content"][2:]] == [{"at": [1, 2]}] * 2
    assert message["content"][0]["thinking"] == ("" if hides else THOUGHT)
    assert message["content"][0]["signature"]
    assert message["stop_reason"] == "tool_use"


@pytest.mark.parametrize("hides", [False, True])
def test_anthropics_own_types_know_every_event_and_the_whole(hides: bool) -> None:
    event_type: TypeAdapter[Any] = TypeAdapter(RawMessageStreamEvent)
    for event in events_of(cut(5), hides_thinking=hides):
        read = event_type.validate_python(event, strict=True)
        assert read.to_dict(exclude_unset=True) == event
    message = whole(cut(5), hides_thinking=hides)
    assert Message.model_validate(message, strict=True).to_dict() == message


def test_every_block_is_closed_before_the_next_begins() -> None:
    opened: list[int] = []
    for event in events_of(cut(3)):
        if event["type"] == "content_block_start":
            assert not opened
            opened.append(event["index"])
        elif event["type"] == "content_block_stop":
            assert opened.pop() == event["index"]
    assert not opened


def test_what_was_kept_of_the_prompt_is_no_input() -> None:
    start = events_of(cut(0))[0]["message"]
    assert start["usage"]["input_tokens"] == 6
    assert start["usage"]["cache_read_input_tokens"] == 4
    assert whole(cut(0))["usage"] == {
        "input_tokens": 6,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 4,
        "output_tokens": 7,
    }


@pytest.mark.parametrize(
    ("end", "reason", "sequence"),
    [
        (Delta(finish_reason="stop"), "end_turn", None),
        (Delta(finish_reason="stop", stop="END"), "stop_sequence", "END"),
        (Delta(finish_reason="length"), "max_tokens", None),
        (Delta(finish_reason="tool_calls"), "tool_use", None),
    ],
)
def test_it_says_why_it_ended(end: Delta, reason: str, sequence: str | None) -> None:
    told = put_together(events_of([Delta("x", usage=USAGE), end]))
    message = whole([Delta("x"), end])
    for each in (told, message):
        assert (each["stop_reason"], each["stop_sequence"]) == (reason, sequence)


def test_a_call_that_was_cut_off_has_no_input() -> None:
    call = ToolCallDelta(0, "c", "look", '{"at": [1')
    message = whole([Delta(tool_calls=(call,)), Delta(finish_reason="length")])
    assert message["content"][0]["input"] == {}


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (InvalidRequestError, "invalid_request_error"),
        (AuthenticationError, "authentication_error"),
        (ForbiddenError, "permission_error"),
        (ModelNotFoundError, "not_found_error"),
        (BodyTooLargeError, "request_too_large"),
        (QueueFullError, "rate_limit_error"),
        (ModelUnavailableError, "overloaded_error"),
        (InferenceError, "api_error"),
    ],
)
def test_errors_have_anthropics_shape_with_what_is_at_fault(
    error: type[InferenceError], kind: str
) -> None:
    body = json.loads(error_body(error("No.", param="x"), "req-1"))
    assert body == {
        "type": "error",
        "error": {"type": kind, "message": "No.", "param": "x", "code": error.code},
        "request_id": "req-1",
    }
    (event,) = MessageWriter("req-1", "m").failed(error("No.", param="x"))
    assert (json.loads(event.data), event.name) == (body, b"error")
