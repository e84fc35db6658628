"""Messages in Anthropic's format: what a body becomes, and what is refused of it."""

from __future__ import annotations

from typing import Any

import pytest

from inference.core.errors import InvalidRequestError
from inference.core.limits import DEFAULT_LIMITS
from inference.core.requests import (
    ChatMessage,
    ChatPrompt,
    GrammarKind,
    ImagePart,
    InferenceRequest,
    TextPart,
    ToolCall,
    ToolMode,
)
from inference.faces.messages.body import HowToAnswer, to_count, to_request
from inference.protocol.thinking_signature import signature_of

CALL = {"type": "tool_use", "id": "c1", "name": "look", "input": {"at": 1}}
LOOK = {"name": "look", "input_schema": {"type": "object"}}
RED = {
    "type": "image",
    "source": {"type": "base64", "media_type": "image/png", "data": "cmVk"},
}
ASKED = [{"role": "user", "content": "Look!"}]


def read(**body: Any) -> tuple[InferenceRequest, HowToAnswer]:
    whole = {"model": "m", "max_tokens": 9, "messages": ASKED, **body}
    return to_request(whole, limits=DEFAULT_LIMITS)


def prompt_of(**body: Any) -> ChatPrompt:
    chat = read(**body)[0].work.chat
    assert chat is not None
    return chat


def messages_of(*turns: tuple[str, Any], **body: Any) -> tuple[ChatMessage, ...]:
    sent = [{"role": role, "content": content} for role, content in turns]
    return prompt_of(messages=sent, **body).messages


def fault_of(**body: Any) -> tuple[str, str | None]:
    with pytest.raises(InvalidRequestError) as refused:
        read(**body)
    return refused.value.code, refused.value.param


def turn(*blocks: Any, role: str = "user") -> list[dict[str, Any]]:
    return [{"role": role, "content": list(blocks)}]


def test_a_system_prompt_stands_first_and_later_ones_where_they_were_said() -> None:
    blocks = [{"type": "text", "text": text} for text in ("Be brief.", "Be kind.")]
    roles = [("user", "Hi"), ("system", "Now be loud.")]
    first, _, last = messages_of(*roles, system=blocks)
    assert (first.role, first.text) == ("system", "Be brief.\n\nBe kind.")
    assert (last.role, last.text) == ("system", "Now be loud.")


def test_the_line_that_is_another_one_each_time_is_left_out_with_a_warning() -> None:
    line = "x-anthropic-billing-header: cc_version=2; cch=a1b2c;"
    blocks = [{"type": "text", "text": line}, {"type": "text", "text": "Be brief."}]
    request, how = read(system=blocks)
    assert request.work.chat is not None
    assert request.work.chat.messages[0].text == "Be brief."
    assert len(how.warnings) == 1
    assert messages_of(("user", "Hi"), system=f"{line}\nBe brief.")[0].text == (
        "Be brief."
    )


def test_results_follow_their_calls_and_their_images_follow_them() -> None:
    result = {
        "type": "tool_result",
        "tool_use_id": "c1",
        "content": [{"type": "text", "text": "red"}, RED],
    }
    words = {"type": "text", "text": "What is it?"}
    _, called, told, shown = messages_of(
        ("user", "Look!"), ("assistant", [CALL]), ("user", [words, result])
    )
    assert called.tool_calls == (ToolCall("c1", "look", '{"at":1}'),)
    assert (told.role, told.tool_call_id, told.text) == ("tool", "c1", "red")
    image = ImagePart(
        "data:image/png;base64,cmVk", path="messages[2].content[1].content[1]"
    )
    assert shown == ChatMessage("user", (image, TextPart("What is it?")))


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ({"content": "red"}, "red"),
        ({}, ""),
        ({"content": "x", "is_error": True}, "Error: x"),
    ],
)
def test_a_result_is_a_text_or_nothing_or_an_error(
    content: dict[str, Any], text: str
) -> None:
    result = {"type": "tool_result", "tool_use_id": "c1", **content}
    told = messages_of(("user", "x"), ("assistant", [CALL]), ("user", [result]))
    assert (told[-1].role, told[-1].text) == ("tool", text)


def test_thinking_goes_back_to_the_model_also_out_of_its_signature() -> None:
    seen = {"type": "thinking", "thinking": "so ", "signature": signature_of()}
    unseen = {"type": "thinking", "thinking": "hm", "signature": "another's"} | {
        "thinking": "",
        "signature": signature_of("hm"),
    }
    foreign = {"type": "thinking", "thinking": "", "signature": "another's"}
    said = {"type": "text", "text": "Yes."}
    turns = ("user", "x"), ("assistant", [seen, unseen, foreign, said]), ("user", "y")
    assert messages_of(*turns)[1].reasoning == "so hm"


def test_thinking_that_nobody_can_read_is_left_out_with_a_warning() -> None:
    redacted = {"type": "redacted_thinking", "data": "xyz"}
    sent = [*ASKED, *turn(redacted, CALL | {"id": "c2"}, role="assistant")]
    result = {"type": "tool_result", "tool_use_id": "c2"}
    request, how = read(messages=[*sent, *turn(result)])
    assert "redacted_thinking" in how.warnings[0]
    assert request.work.chat is not None
    assert request.work.chat.messages[1].reasoning == ""


def test_a_last_message_of_the_assistants_is_gone_on_from() -> None:
    prompt = prompt_of(messages=[*ASKED, {"role": "assistant", "content": "It is"}])
    assert prompt.continue_final_message
    assert not prompt.add_generation_prompt
    assert not prompt_of().continue_final_message


@pytest.mark.parametrize(
    ("sent", "effort", "budget"),
    [
        ({}, None, None),
        ({"thinking": {"type": "disabled"}}, "none", None),
        ({"thinking": {"type": "adaptive"}}, "high", None),
        ({"thinking": {"type": "adaptive", "display": "updates"}}, "high", None),
        ({"thinking": {"type": "enabled", "budget_tokens": 7}}, "high", 7),
        ({"output_config": {"effort": "low"}}, "low", None),
        (
            {"thinking": {"type": "adaptive"}, "output_config": {"effort": "max"}},
            "max",
            None,
        ),
    ],
)
def test_thinking_becomes_an_effort_and_a_budget(
    sent: dict[str, Any], effort: str | None, budget: int | None
) -> None:
    request, _ = read(**sent)
    assert request.work.chat is not None
    assert request.work.chat.reasoning_effort == effort
    assert request.work.sampling.thinking_budget == budget


@pytest.mark.parametrize(
    ("choice", "mode", "parallel"),
    [
        ({"type": "auto"}, ToolMode.AUTO, True),
        ({"type": "any"}, ToolMode.REQUIRED, False),
        ({"type": "none"}, ToolMode.NONE, True),
        ({"type": "tool", "name": "look"}, ToolMode.FUNCTION, False),
        ({"type": "auto", "disable_parallel_tool_use": True}, ToolMode.AUTO, False),
        ({"type": "any", "disable_parallel_tool_use": False}, ToolMode.REQUIRED, True),
    ],
)
def test_it_says_how_free_the_model_is_to_call(
    choice: dict[str, Any], mode: ToolMode, parallel: bool
) -> None:
    use = prompt_of(tools=[LOOK], tool_choice=choice).tools
    assert use is not None
    assert (use.mode, use.parallel) == (mode, parallel)


def test_what_nobody_here_knows_is_ignored_by_name() -> None:
    search = {"type": "web_search_20250305", "name": "web_search", "max_uses": 5}
    request, _ = read(
        tools=[LOOK, search],
        tool_choice={"type": "auto"},
        context_management={"edits": []},
        container="c",
        mcp_servers=[],
        metadata={"user_id": "ann", "more": 1},
    )
    assert request.params["ignored"] == [
        "tools[].max_uses",
        "context_management",
        "container",
        "mcp_servers",
        "metadata.more",
        "tools[].web_search_20250305",
    ]
    assert request.work.tools is not None
    assert [tool.name for tool in request.work.tools.tools] == ["look"]
    assert prompt_of(tools=[search], tool_choice={"type": "auto"}).tools is None


def test_an_answer_may_have_to_fit_a_schema() -> None:
    schema = {"type": "object"}
    request, _ = read(
        output_config={"format": {"type": "json_schema", "schema": schema}}
    )
    grammar = request.work.grammar
    assert grammar is not None
    assert (grammar.kind, grammar.source) == (
        GrammarKind.JSON_SCHEMA,
        '{"type":"object"}',
    )


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"model": None}, "model"),
        ({"max_tokens": None}, "max_tokens"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"temperature": 1.5}, "temperature"),
        ({"messages": []}, "messages"),
        ({"messages": [{"role": "tool", "content": "x"}]}, "messages[0].role"),
        ({"messages": turn({"type": "document"})}, "messages[0].content[0]"),
        ({"messages": turn({"type": "x"})}, "messages[0].content[0].type"),
        (
            {"messages": turn({"type": "tool_result", "tool_use_id": "c9"})},
            "messages[0].content[0].tool_use_id",
        ),
        (
            {"messages": [*ASKED, *turn(CALL, role="assistant")]},
            "messages[1].content",
        ),
        (
            {
                "messages": turn(
                    {"type": "image", "source": {"type": "url", "url": "file:///x"}}
                )
            },
            "messages[0].content[0].source.url",
        ),
        ({"tools": [{"name": "look"}]}, "tools[0].input_schema"),
        ({"tools": [LOOK, LOOK]}, "tools[1].name"),
        ({"tool_choice": {"type": "any"}}, "tool_choice"),
        (
            {"tools": [LOOK], "tool_choice": {"type": "tool", "name": "x"}},
            "tool_choice",
        ),
    ],
)
def test_it_names_what_is_wrong(body: dict[str, Any], param: str) -> None:
    assert fault_of(**body)[1] == param


def test_a_count_needs_no_length_of_an_answer() -> None:
    body = {"model": "m", "messages": ASKED, "system": "Be brief.", "tools": [LOOK]}
    request, _ = to_count(body, limits=DEFAULT_LIMITS)
    assert request.work.prompt == prompt_of(system="Be brief.", tools=[LOOK])
