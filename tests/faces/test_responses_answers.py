"""A response on the wire: the same items whole, streamed, and however it is cut.

Every body and event is judged by the types of Open Responses. What these do not know,
calls of custom tools and the name of the events of thinking, is judged by OpenAI's.
"""

from __future__ import annotations

import json
import random
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import openresponses_types as open_responses
import pytest
from openai.types import responses as openai_responses
from pydantic import TypeAdapter

from inference.core.collected import CollectedAnswer
from inference.core.errors import CancelledByStaffError, GenerationError
from inference.core.limits import DEFAULT_LIMITS
from inference.core.requests import (
    Delta,
    TokenAlternative,
    TokenLogprob,
    ToolCallDelta,
    Usage,
)
from inference.faces.responses.answer import ResponseWriter
from inference.faces.responses.body import to_asked
from inference.faces.responses.output import ResponseOutput
from inference.faces.responses.resource import resource_of
from inference.protocol.response_parameters import ENCRYPTED
from inference.protocol.thinking_signature import hidden_thinking

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from inference.protocol.sse import Event

THOUGHT, TEXT = "Let me see.", "It is 3 ° in Zürich."
ARGUMENTS = '{"at": [1, 2]}'
PATCH = 'say "grüezi"\n\\ 😀\t'
PATCHED = json.dumps({"input": PATCH})
LOOK = {"type": "function", "name": "look", "parameters": {"type": "object"}}
PATCHER = {"type": "custom", "name": "patch"}
AGENTS = {
    "type": "namespace",
    "name": "agents",
    "description": "d",
    "tools": [{"type": "function", "name": "close"}],
}
USAGE = Usage(
    prompt_tokens=10, completion_tokens=7, cached_tokens=4, reasoning_tokens=2
)
_OPENAI_EVENT: TypeAdapter[Any] = TypeAdapter(openai_responses.ResponseStreamEvent)
_OPEN_EVENTS: dict[str, Any] = {
    "response.created": open_responses.ResponseCreatedStreamingEvent,
    "response.in_progress": open_responses.ResponseInProgressStreamingEvent,
    "response.completed": open_responses.ResponseCompletedStreamingEvent,
    "response.incomplete": open_responses.ResponseIncompleteStreamingEvent,
    "response.failed": open_responses.ResponseFailedStreamingEvent,
    "response.output_item.added": open_responses.ResponseOutputItemAddedStreamingEvent,
    "response.output_item.done": open_responses.ResponseOutputItemDoneStreamingEvent,
    "response.content_part.added": (
        open_responses.ResponseContentPartAddedStreamingEvent
    ),
    "response.content_part.done": open_responses.ResponseContentPartDoneStreamingEvent,
    "response.output_text.delta": open_responses.ResponseOutputTextDeltaStreamingEvent,
    "response.output_text.done": open_responses.ResponseOutputTextDoneStreamingEvent,
    "response.reasoning.delta": open_responses.ResponseReasoningDeltaStreamingEvent,
    "response.reasoning.done": open_responses.ResponseReasoningDoneStreamingEvent,
    "response.function_call_arguments.delta": (
        open_responses.ResponseFunctionCallArgumentsDeltaStreamingEvent
    ),
    "response.function_call_arguments.done": (
        open_responses.ResponseFunctionCallArgumentsDoneStreamingEvent
    ),
    "error": open_responses.ErrorStreamingEvent,
}


def letters(*calls: tuple[str, str], thought: str = THOUGHT) -> list[Delta]:
    """Return an answer cut into its letters; calls are names and arguments."""
    deltas = [Delta(reasoning=letter) for letter in thought]
    deltas += [Delta(text=letter) for letter in TEXT]
    for index, (name, arguments) in enumerate(calls):
        deltas.append(Delta(tool_calls=(ToolCallDelta(index, f"c{index}", name),)))
        deltas += [
            Delta(tool_calls=(ToolCallDelta(index, arguments=letter),))
            for letter in arguments
        ]
    return deltas


def merged(deltas: Iterable[Delta]) -> Delta:
    group = list(deltas)
    return Delta(
        text="".join(delta.text for delta in group),
        reasoning="".join(delta.reasoning for delta in group),
        tool_calls=tuple(call for delta in group for call in delta.tool_calls),
    )


def ended(deltas: Sequence[Delta], reason: str = "stop") -> list[Delta]:
    return [*deltas, Delta(finish_reason=reason, usage=USAGE)]


def cut(whole: list[Delta], seed: int) -> list[Delta]:
    """Return an answer in pieces as they may come."""
    rng = random.Random(seed)
    edges = sorted({0, len(whole), *rng.sample(range(len(whole)), rng.randrange(9))})
    return ended([merged(whole[a:b]) for a, b in pairwise(edges)])


def writer_for(**body: Any) -> ResponseWriter:
    asked = to_asked({"input": "Hi", **body}, limits=DEFAULT_LIMITS).body
    resource = resource_of(
        asked, response_id="resp_1", created=5, model="m", is_stored=False
    )
    hides = ENCRYPTED in asked.include
    output = ResponseOutput("1", asked.tools.shapes, hides_thinking=hides)
    return ResponseWriter(
        resource, output, now=lambda: 6, only_prepares=asked.only_prepares
    )


def read(events: Iterable[Event]) -> list[dict[str, Any]]:
    """Return events; each is named by its type, numbered, and [DONE] is the last."""
    *told, done = events
    assert (done.name, done.data) == (b"", b"[DONE]")
    read = [json.loads(event.data) for event in told]
    assert [event.name.decode() for event in told] == [body["type"] for body in read]
    assert [body["sequence_number"] for body in read] == list(range(len(read)))
    return read


def events_of(deltas: Iterable[Delta], **body: Any) -> list[dict[str, Any]]:
    writer = writer_for(**body)
    events = [event for delta in deltas for event in writer.events(delta)]
    return read([*events, *writer.ending()])


def whole(deltas: Iterable[Delta], **body: Any) -> dict[str, Any]:
    answer = CollectedAnswer()
    for delta in deltas:
        answer.add(delta)
    found: dict[str, Any] = json.loads(writer_for(**body).whole(answer))
    return found


def put_together(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the items as a client puts them together from deltas alone."""
    items: list[dict[str, Any]] = []
    for event in events:
        kind = event["type"]
        if kind == "response.output_item.added":
            assert event["output_index"] == len(items)
            items.append(event["item"])
        elif kind == "response.content_part.added":
            assert event["item_id"] == items[-1]["id"]
            items[-1]["content"].append(event["part"])
        elif kind in ("response.output_text.delta", "response.reasoning_text.delta"):
            items[-1]["content"][event["content_index"]]["text"] += event["delta"]
        elif kind == "response.function_call_arguments.delta":
            items[-1]["arguments"] += event["delta"]
        elif kind == "response.custom_tool_call_input.delta":
            items[-1]["input"] += event["delta"]
        elif kind == "response.output_item.done":
            assert event["item"]["id"] == items[-1]["id"]
            items[-1]["status"] = event["item"]["status"]
    return items


def judge(events: list[dict[str, Any]], *, is_open: bool) -> None:
    """Have events judged: by OpenAI's types, and where these know it by the open ones."""
    for event in events:
        _OPENAI_EVENT.validate_python(event)
        if is_open:
            kind = event["type"].replace("reasoning_text", "reasoning")
            _OPEN_EVENTS[kind].model_validate({**event, "type": kind})


@pytest.mark.parametrize("seed", range(20))
def test_it_has_the_same_items_however_it_is_cut(seed: int) -> None:
    asked = {"tools": [LOOK, PATCHER, AGENTS]}
    said = letters(("look", ARGUMENTS), ("patch", PATCHED), ("agents__close", "{}"))
    deltas = cut(said, seed)
    events = events_of(deltas, **asked)
    assert put_together(events) == whole(deltas, **asked)["output"]
    assert events[-1]["response"] == whole(deltas, **asked)
    judge(events, is_open=False)


def test_calls_are_told_as_the_client_knows_the_tools() -> None:
    said = letters(("look", ARGUMENTS), ("patch", PATCHED), ("agents__close", "{}"))
    body = whole(ended(said, "tool_calls"), tools=[LOOK, PATCHER, AGENTS])
    _, _, look, patch, close = body["output"]
    assert (look["name"], look["arguments"]) == ("look", ARGUMENTS)
    assert (patch["type"], patch["input"]) == ("custom_tool_call", PATCH)
    assert (close["namespace"], close["name"]) == ("agents", "close")
    assert [item["call_id"] for item in (look, patch, close)] == ["c0", "c1", "c2"]


def test_silence_is_told_by_events_that_a_response_may_have() -> None:
    writer = writer_for()
    silences = b"".join(writer.keep_alive() for _ in range(2)).decode()
    data = [line[6:] for line in silences.splitlines() if line[:6] == "data: "]
    told = [json.loads(each) for each in data]
    assert [event["type"] for event in told] == (
        ["response.created", "response.in_progress", "response.in_progress"]
    )
    judge(told, is_open=True)
    (last, *_) = writer.events(Delta(text="Hi"))
    assert json.loads(last.data)["sequence_number"] == 3


ANSWERS = {
    "text": letters(thought=""),
    "thinking": letters(),
    "one call": letters(("look", ARGUMENTS)),
    "two calls": letters(("look", ARGUMENTS), ("look", "{}"), thought=""),
    "nothing": [],
}


@pytest.mark.parametrize(
    "body", [{}, {"include": [ENCRYPTED]}, {"instructions": "Be."}]
)
@pytest.mark.parametrize("reason", ["stop", "length", "tool_calls"])
@pytest.mark.parametrize("said", ANSWERS)
def test_every_event_and_body_is_open_responses(
    said: str, reason: str, body: dict[str, Any]
) -> None:
    deltas = ended(ANSWERS[said], reason)
    asked = body | {"tools": [LOOK], "reasoning": {"effort": "low"}}
    judge(events_of(deltas, **asked), is_open=True)
    response = whole(deltas, **asked)
    open_responses.ResponseResource.model_validate(response)
    openai_responses.Response.model_validate(response)


@pytest.mark.parametrize(
    "body",
    [
        {"tools": [LOOK], "tool_choice": {"type": "function", "name": "look"}},
        {
            "tools": [LOOK],
            "tool_choice": {
                "type": "allowed_tools",
                "mode": "auto",
                "tools": [{"type": "function", "name": "look"}],
            },
        },
        {"text": {"format": {"type": "json_object"}}},
        {"text": {"format": {"type": "json_schema", "name": "n", "schema": {}}}},
        {"temperature": 0, "top_p": 0.5, "truncation": "auto", "user": "ann"},
        {"metadata": {"a": "b"}, "prompt_cache_key": "k", "safety_identifier": "s"},
    ],
)
def test_what_was_asked_is_told_again_as_open_responses_have_it(
    body: dict[str, Any],
) -> None:
    response = whole(ended(letters()), **body)
    open_responses.ResponseResource.model_validate(response)
    for name in body.keys() - {"tools", "text"}:
        assert response[name] == body[name]


def test_tools_of_types_that_are_not_here_are_not_told_again() -> None:
    search = {"type": "web_search"}
    look = {"type": "function", "name": "look"}
    choice = {"type": "allowed_tools", "mode": "auto", "tools": [search, look]}
    response = whole(ended(letters()), tools=[search, LOOK], tool_choice=choice)
    assert [tool["name"] for tool in response["tools"]] == ["look"]
    assert response["tool_choice"]["tools"] == [look]
    open_responses.ResponseResource.model_validate(response)


@pytest.mark.parametrize("said", [0, 1, 20, 60])
def test_a_failure_is_an_error_and_a_response_as_far_as_it_came(said: int) -> None:
    writer = writer_for()
    deltas = letters(("look", ARGUMENTS))[:said]
    events = [event for delta in deltas for event in writer.events(delta)]
    told = read([*events, *writer.failed(GenerationError("It broke."))])
    judge(told, is_open=True)
    error = next(event for event in told if event["type"] == "error")
    assert error["error"]["code"] == error["code"] == "generation_failed"
    last = told[-1]["response"]
    assert last["status"] == "failed"
    assert last["error"] == {"code": "server_error", "message": "It broke."}
    if said:
        assert last["output"][-1]["status"] == "incomplete"


def test_an_answer_that_was_cut_is_incomplete() -> None:
    body = whole(ended(letters(), "length"))
    assert body["status"] == "incomplete"
    assert body["incomplete_details"] == {"reason": "max_output_tokens"}
    assert [item["status"] for item in body["output"]] == ["completed", "incomplete"]


def test_thinking_is_told_as_it_is_and_in_a_text_of_ours_where_that_is_asked() -> None:
    plain, _ = whole(ended(letters()))["output"]
    assert plain["content"] == [{"type": "reasoning_text", "text": THOUGHT}]
    assert "encrypted_content" not in plain
    carried, _ = whole(ended(letters()), include=[ENCRYPTED])["output"]
    assert hidden_thinking(carried["encrypted_content"]) == THOUGHT


def test_probabilities_stand_with_the_text() -> None:
    likely = TokenLogprob(b"It", -0.5, (TokenAlternative(b"It", -0.5),))
    deltas = ended([Delta(text="It", logprobs=(likely,))])
    events = events_of(deltas, top_logprobs=1)
    judge(events, is_open=True)
    (item,) = whole(deltas, top_logprobs=1)["output"]
    (told,) = item["content"][0]["logprobs"]
    assert (told["token"], told["logprob"], len(told["top_logprobs"])) == (
        "It",
        -0.5,
        1,
    )


@pytest.mark.parametrize(
    "body",
    [
        {"prewarm": True},
        {"generate": False},
        {"prompt_cache_options": {"prewarm": True}},
    ],
)
def test_what_only_prepares_the_cache_answers_nothing(body: dict[str, Any]) -> None:
    response = whole(ended(letters(), "length"), **body)
    assert (response["status"], response["output"]) == ("completed", [])
    assert response["usage"]["input_tokens_details"]["cached_tokens"] == 4
    kinds = [event["type"] for event in events_of(ended(letters()), **body)]
    assert kinds == ["response.created", "response.in_progress", "response.completed"]


async def kept_by(*ends: Any) -> list[tuple[dict[str, Any], tuple[Any, ...]]]:
    """Return what is kept of an answer that ends so, one after the other."""
    kept: list[tuple[dict[str, Any], tuple[Any, ...]]] = []

    async def keep(body: dict[str, Any], events: tuple[dict[str, Any], ...]) -> None:
        kept.append((body, events))

    asked = to_asked({"input": "Hi"}, limits=DEFAULT_LIMITS).body
    resource = resource_of(
        asked, response_id="resp_1", created=5, model="m", is_stored=True
    )
    output = ResponseOutput("1", {}, hides_thinking=False)
    writer = ResponseWriter(resource, output, now=lambda: 6, keep=keep)
    for delta in letters():
        writer.events(delta)
    for end in ends:
        end(writer)
        await writer.keep()
        await writer.keep()
    return kept


async def test_it_is_kept_once_with_all_its_events() -> None:
    ((body, events),) = await kept_by(lambda writer: writer.ending())
    assert body["status"] == "completed"
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    assert events[0]["type"] == "response.created"
    assert events[-1] == {
        "type": "response.completed",
        "sequence_number": len(events) - 1,
        "response": body,
    }
    judge(list(events), is_open=True)


async def test_one_that_nobody_waited_for_is_kept_as_cancelled() -> None:
    ((body, events),) = await kept_by(lambda _: None)
    assert body["status"] == "cancelled"
    assert body["output"][-1]["status"] == "incomplete"
    judge(list(events), is_open=True)


async def test_one_that_could_not_be_kept_has_failed() -> None:
    _, (body, events) = await kept_by(
        lambda writer: writer.ending(),
        lambda writer: writer.failed(GenerationError("No disk.")),
    )
    assert body["status"] == "failed"
    assert [event["type"] for event in events][-2:] == ["error", "response.failed"]
    assert [event["sequence_number"] for event in events] == list(range(len(events)))


async def test_one_that_staff_ended_is_kept_as_cancelled() -> None:
    ((body, _),) = await kept_by(lambda writer: writer.failed(CancelledByStaffError()))
    assert body["status"] == "cancelled"
