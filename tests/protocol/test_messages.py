"""What a conversation may look like."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest

from inference.core.errors import InvalidRequestError
from inference.core.limits import DEFAULT_LIMITS, Limits
from inference.core.requests import ChatMessage, ImagePart, TextPart
from inference.exchange.reading import read_sized
from inference.faces.chat.body import to_request
from tests.protocol.cast import to_messages

PIXEL = "data:image/png;base64,iVBORw0KGgo="
IMAGE = {"type": "image_url", "image_url": {"url": PIXEL}}


def read(*messages: Any, limits: Limits = DEFAULT_LIMITS) -> tuple[ChatMessage, ...]:
    return to_messages(list(messages), limits=limits)


def said(content: Any, role: str = "user", **keys: Any) -> dict[str, Any]:
    return {"role": role, "content": content, **keys}


@pytest.mark.parametrize("role", ["system", "developer", "user", "assistant"])
def test_it_reads_the_roles_of_a_conversation(role: str) -> None:
    (message,) = read(said("Hi", role, name="Ann"))
    assert message == ChatMessage(role=role, content=(TextPart("Hi"),), name="Ann")


def test_it_reads_content_in_parts() -> None:
    (message,) = read(
        said([{"type": "text", "text": "a"}, {"type": "text", "text": ""}])
    )
    assert message.content == (TextPart("a"), TextPart(""))


def test_it_reads_an_image_and_leaves_judging_it_to_the_model() -> None:
    part = {"type": "image_url", "image_url": {"url": PIXEL, "detail": "low"}}
    body = {"messages": [said([{"type": "text", "text": "What?"}, part])]}
    request, _ = to_request(body, limits=DEFAULT_LIMITS)
    assert request.work.chat is not None
    assert request.work.chat.messages[0].content[1] == ImagePart(
        url=PIXEL, detail="low"
    )
    assert request.kind == "vision"


@pytest.mark.parametrize("url", [PIXEL, "HTTPS://x/y.png", "Data:IMAGE/png;base64,A"])
def test_it_reads_an_image_whose_url_stands_alone(url: str) -> None:
    (message,) = read(said([{"type": "image_url", "image_url": url}]))
    assert message.content == (ImagePart(url=url, detail="auto"),)


def test_it_takes_the_empty_leftovers_of_an_earlier_answer() -> None:
    leftovers = {"refusal": None, "tool_calls": None, "function_call": None}
    (message,) = read(said("Hi", "assistant", **leftovers, audio=None, annotations=[]))
    assert message == ChatMessage(role="assistant", content=(TextPart("Hi"),))


@pytest.mark.parametrize(
    ("messages", "code", "param"),
    [
        (None, "missing_required_parameter", "messages"),
        ([], "empty_array", "messages"),
        ("Hi", "invalid_type", "messages"),
        ({}, "invalid_type", "messages"),
        (["Hi"], "invalid_type", "messages[0]"),
        ([None], "invalid_type", "messages[0]"),
        ([said("ok"), 5], "invalid_type", "messages[1]"),
        ([{"content": "x"}], "missing_required_parameter", "messages[0].role"),
        ([said("x", 5)], "invalid_type", "messages[0].role"),  # type: ignore[arg-type]
        ([said("x", "robot")], "invalid_value", "messages[0].role"),
        ([said("x", "User")], "invalid_value", "messages[0].role"),
        ([{"role": "user"}], "missing_required_parameter", "messages[0].content"),
        ([said(None)], "missing_required_parameter", "messages[0].content"),
        ([said(5)], "invalid_type", "messages[0].content"),
        ([said({})], "invalid_type", "messages[0].content"),
        ([said([])], "empty_array", "messages[0].content"),
        ([said("x", name=5)], "invalid_type", "messages[0].name"),
        ([said("x", name="n" * 257)], "string_above_max_length", "messages[0].name"),
        (
            [said("x", "assistant", function_call={"name": "f"})],
            "missing_required_parameter",
            "messages[0].function_call.arguments",
        ),
        (
            [said("x", "assistant", audio={"id": "1"})],
            "unsupported_parameter",
            "messages[0].audio",
        ),
    ],
)
def test_it_names_the_message_at_fault(messages: Any, code: str, param: str) -> None:
    with pytest.raises(InvalidRequestError) as refused:
        to_messages(messages, limits=DEFAULT_LIMITS)
    assert (refused.value.code, refused.value.param) == (code, param)


@pytest.mark.parametrize(
    ("part", "code", "where"),
    [
        ("text", "invalid_type", ""),
        (None, "invalid_type", ""),
        ({}, "missing_required_parameter", ".type"),
        ({"type": 1}, "invalid_type", ".type"),
        ({"type": "video"}, "invalid_value", ".type"),
        ({"type": "input_audio", "input_audio": {}}, "unsupported_parameter", ""),
        ({"type": "file", "file": {}}, "unsupported_parameter", ""),
        ({"type": "text"}, "missing_required_parameter", ".text"),
        ({"type": "text", "text": 5}, "invalid_type", ".text"),
        ({"type": "image_url"}, "missing_required_parameter", ".image_url"),
        ({"type": "image_url", "image_url": 5}, "invalid_type", ".image_url"),
        ({"type": "image_url", "image_url": "a.png"}, "invalid_value", ".image_url"),
        (
            {"type": "image_url", "image_url": {}},
            "missing_required_parameter",
            ".image_url.url",
        ),
        (
            {"type": "image_url", "image_url": {"url": 5}},
            "invalid_type",
            ".image_url.url",
        ),
        (
            {"type": "image_url", "image_url": {"url": "file:///etc/passwd"}},
            "invalid_value",
            ".image_url.url",
        ),
        (
            {"type": "image_url", "image_url": {"url": PIXEL, "detail": "huge"}},
            "invalid_value",
            ".image_url.detail",
        ),
        (
            {"type": "image_url", "image_url": {"url": PIXEL, "detail": ["low"]}},
            "invalid_value",
            ".image_url.detail",
        ),
    ],
)
def test_it_names_the_part_at_fault(part: Any, code: str, where: str) -> None:
    with pytest.raises(InvalidRequestError) as refused:
        read(said("ok"), said([{"type": "text", "text": "ok"}, part]))
    param = f"messages[1].content[1]{where}"
    assert (refused.value.code, refused.value.param) == (code, param)


CALLED = {
    "role": "assistant",
    "content": None,
    "tool_calls": [
        {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    ],
}


def test_a_tool_may_answer_with_pictures() -> None:
    parts = [
        {"type": "input_text", "text": "done"},
        {"type": "input_image", "image_url": PIXEL, "detail": "low"},
        IMAGE,
    ]
    _, message = read(CALLED, said(parts, "tool", tool_call_id="c"))
    assert message.content == (
        TextPart("done"),
        ImagePart(PIXEL, "low"),
        ImagePart(PIXEL),
    )


@pytest.mark.parametrize("kind", ["file", "input_file", "input_audio"])
def test_words_stand_for_what_cannot_be_read_but_where_the_user_says_it(
    kind: str,
) -> None:
    part = {"type": kind, kind: {"data": "AAAA"}}
    body = {"messages": [CALLED, said([part], "tool", tool_call_id="c")]}
    request, _ = to_request(body, limits=DEFAULT_LIMITS)
    assert request.work.chat is not None
    assert request.work.chat.messages[1].text == (
        f"[{kind} left out: it cannot be read here]"
    )
    assert request.params["ignored"] == [f"messages[].content[].{kind}"]
    with pytest.raises(InvalidRequestError) as refused:
        read(said([part]))
    assert refused.value.param == "messages[0].content[0]"


@pytest.mark.parametrize("content", [None, [], ""])
def test_an_answer_that_was_broken_off_stays_an_empty_turn(content: Any) -> None:
    messages = read(said("a"), said(content, "assistant"), said("b"))
    assert [message.text for message in messages] == ["a", "", "b"]


def test_the_older_names_of_calls_and_results_are_read() -> None:
    call = {"name": "f", "arguments": "{}"}
    asked, told, lost = read(
        said(None, "assistant", function_call=call),
        said("20", "function", name="f"),
        said(None, "function", name="g"),
    )
    assert asked.tool_calls[0].name == "f"
    assert (told.role, told.text) == ("tool", "20")
    assert told.tool_call_id == asked.tool_calls[0].id
    assert (lost.role, lost.text, lost.tool_call_id) == ("tool", "", "")


@pytest.mark.parametrize(
    ("messages", "limits", "param"),
    [
        ([said("x")] * 3, Limits(messages=2), "messages"),
        ([said("xxx")], Limits(text_chars=2), "messages[0].content"),
        (
            [said([{"type": "text", "text": "xxx"}])],
            Limits(text_chars=2),
            "messages[0].content[0].text",
        ),
        ([said([IMAGE] * 3)], Limits(parts_per_message=2), "messages[0].content"),
        ([said([IMAGE])], Limits(url_chars=9), "messages[0].content[0].image_url.url"),
    ],
)
def test_it_bounds_what_a_conversation_may_hold(
    messages: Any, limits: Limits, param: str
) -> None:
    with pytest.raises(InvalidRequestError) as refused:
        to_messages(messages, limits=limits)
    assert refused.value.param == param
    assert refused.value.code.endswith("_above_max_length")


async def test_a_long_conversation_is_validated_while_the_loop_goes_on() -> None:
    turns, is_over = 0, False

    async def take_turns() -> None:
        nonlocal turns
        while not is_over:
            turns += 1
            await asyncio.sleep(0)

    body = {"messages": [{"role": "user", "content": "Hi"}] * 4000}
    size_bytes = len(msgspec.json.encode(body))
    others = asyncio.create_task(take_turns())
    await asyncio.sleep(0)
    before = turns
    request, _ = await read_sized(
        to_request, body, size_bytes=size_bytes, limits=DEFAULT_LIMITS, strict=False
    )
    during, is_over = turns - before, True
    await others
    assert request.work.chat is not None
    assert len(request.work.chat.messages) == 4000
    assert during > 0
