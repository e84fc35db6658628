"""A request for a response: what a body becomes, and what is refused of it."""

from __future__ import annotations

import json
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
from inference.faces.responses.body import to_asked, to_request
from inference.protocol.response_turns import UNREADABLE
from inference.protocol.thinking_signature import signature_of

LOOK = {"type": "function", "name": "look", "parameters": {"type": "object"}}
PATCH = {"type": "custom", "name": "patch", "description": "Patches."}
AGENTS = {
    "type": "namespace",
    "name": "agents",
    "description": "d",
    "tools": [{"type": "function", "name": "close"}, {"type": "mcp"}],
}
CALL = {"type": "function_call", "call_id": "c1", "name": "look", "arguments": "{}"}
RESULT = {"type": "function_call_output", "call_id": "c1", "output": "A cat."}


def read(**body: Any) -> tuple[InferenceRequest, tuple[str, ...]]:
    asked = to_asked({"input": "Hi", **body}, limits=DEFAULT_LIMITS)
    return to_request(asked, (), asked.body.input, DEFAULT_LIMITS)


def prompt_of(**body: Any) -> ChatPrompt:
    chat = read(**body)[0].work.chat
    assert chat is not None
    return chat


def messages_of(*items: dict[str, Any], **body: Any) -> tuple[ChatMessage, ...]:
    return prompt_of(input=list(items), **body).messages


def ignored_in(**body: Any) -> list[str]:
    ignored: list[str] = read(**body)[0].params.get("ignored", [])
    return ignored


def fault_of(**body: Any) -> tuple[str, str | None]:
    with pytest.raises(InvalidRequestError) as refused:
        read(**body)
    return refused.value.code, refused.value.param


def thinking(text: str = "", **fields: Any) -> dict[str, Any]:
    content = [{"type": "reasoning_text", "text": text}] if text else []
    return {"type": "reasoning", "summary": [], "content": content, **fields}


def user(text: str) -> dict[str, Any]:
    return {"role": "user", "content": text}


def assistant(text: str) -> dict[str, Any]:
    part = {"type": "output_text", "text": text, "annotations": []}
    return {"type": "message", "role": "assistant", "content": [part]}


def test_a_text_is_what_the_user_says_and_instructions_stand_before_it() -> None:
    system, said = prompt_of(instructions="Be brief.").messages
    assert (system.role, system.text) == ("system", "Be brief.")
    assert (said.role, said.text) == ("user", "Hi")


def test_thinking_a_text_and_calls_in_a_row_are_one_turn() -> None:
    _, turn, result, last = messages_of(
        user("Look!"), thinking("Hm."), assistant("I look."), CALL, RESULT, user("And?")
    )
    assert (turn.reasoning, turn.text) == ("Hm.", "I look.")
    assert turn.tool_calls == (ToolCall("c1", "look", "{}"),)
    assert (result.role, result.tool_call_id, result.text) == ("tool", "c1", "A cat.")
    assert last.text == "And?"


def test_another_thought_or_text_begins_another_turn() -> None:
    second = CALL | {"call_id": "c2"}
    result = RESULT | {"call_id": "c2"}
    turns = messages_of(
        user("Look!"), CALL, RESULT, thinking("Again."), second, result, assistant("A")
    )
    assert [turn.role for turn in turns] == (
        ["user", "assistant", "tool", "assistant", "tool", "assistant"]
    )
    assert [turn.reasoning for turn in turns[1::2]] == ["", "Again.", ""]
    first, other = messages_of(user("Hi"), assistant("A"), assistant("B"))[1:]
    assert (first.text, other.text) == ("A", "B")


@pytest.mark.parametrize(
    "item",
    [
        thinking("Hm."),
        thinking(encrypted_content=signature_of("Hm.")),
        thinking(summary=[{"type": "summary_text", "text": "Hm."}]),
    ],
)
def test_thinking_goes_back_in_any_form_that_it_was_told_in(
    item: dict[str, Any],
) -> None:
    assert messages_of(user("Hi"), item, assistant("Yes"))[1].reasoning == "Hm."


def test_thinking_that_only_others_can_read_is_left_out_with_a_warning() -> None:
    request, warnings = read(
        input=[user("Hi"), thinking(encrypted_content="gAAAA"), assistant("Yes")]
    )
    assert request.work.chat is not None
    assert request.work.chat.messages[1].reasoning == ""
    assert warnings == (UNREADABLE,)


def test_images_know_where_they_were_sent_also_within_results() -> None:
    image = {"type": "input_image", "image_url": "data:image/png;base64,cmVk"}
    text = {"type": "input_text", "text": "What?"}
    result = RESULT | {"output": [text, image | {"detail": "original"}]}
    said, _, shown = messages_of(
        {"role": "user", "content": [text, image]}, CALL, result
    )
    assert isinstance(said.content[1], ImagePart)
    assert said.content[1].path == "input[0].content[1]"
    assert isinstance(shown.content[1], ImagePart)
    assert shown.content[1].path == "input[2].output[1]"
    assert shown.content[0] == TextPart("What?")


def test_calls_of_custom_tools_carry_their_text_as_an_argument() -> None:
    call = {"type": "custom_tool_call", "call_id": "c1", "name": "patch", "input": "\n"}
    result = {"type": "custom_tool_call_output", "call_id": "c1", "output": "Done."}
    _, turn, told = messages_of(user("Patch!"), call, result)
    assert turn.tool_calls == (ToolCall("c1", "patch", '{"input":"\\n"}'),)
    assert told.text == "Done."


def test_tools_become_functions_of_one_name_each() -> None:
    form = {"type": "grammar", "syntax": "regex", "definition": "[a-z]+"}
    lark = {"type": "grammar", "syntax": "lark", "definition": "start: /x/"}
    request, warnings = read(
        tools=[
            {"type": "web_search"},
            LOOK,
            PATCH | {"format": form},
            PATCH | {"name": "edit", "format": lark},
            AGENTS,
        ]
    )
    use = request.work.tools
    assert use is not None
    look, patch, edit, close = use.tools
    assert (look.name, look.path) == ("look", "tools[1].parameters")
    assert patch.parameters["properties"]["input"]["pattern"] == "^(?:[a-z]+)$"
    assert "start: /x/" in edit.description
    assert (close.name, close.path) == (
        "agents__close",
        "tools[4].tools[0].parameters",
    )
    assert warnings == ("tools[3].format: told to the model, not enforced",)
    assert request.params["ignored"] == ["tools[0].web_search", "tools[4].tools[1].mcp"]


def test_a_call_from_a_namespace_goes_by_the_models_name() -> None:
    call = CALL | {"name": "close", "namespace": "agents"}
    _, turn, _ = messages_of(user("Hi"), call, RESULT)
    assert turn.tool_calls[0].name == "agents__close"


@pytest.mark.parametrize(
    ("choice", "mode", "function"),
    [
        ("none", ToolMode.NONE, ""),
        ("required", ToolMode.REQUIRED, ""),
        ({"type": "function", "name": "look"}, ToolMode.FUNCTION, "look"),
        ({"type": "custom", "name": "patch"}, ToolMode.FUNCTION, "patch"),
        ({"type": "function", "name": "close"}, ToolMode.FUNCTION, "agents__close"),
        ({"type": "web_search"}, ToolMode.AUTO, ""),
    ],
)
def test_a_choice_is_of_what_the_client_calls_so(
    choice: Any, mode: ToolMode, function: str
) -> None:
    use = prompt_of(tools=[LOOK, PATCH, AGENTS], tool_choice=choice).tools
    assert use is not None
    assert (use.mode, use.function, len(use.tools)) == (mode, function, 3)


def test_only_the_allowed_tools_are_known() -> None:
    allowed = [{"type": "namespace", "name": "agents"}, {"type": "mcp"}]
    choice = {"type": "allowed_tools", "mode": "required", "tools": allowed}
    use = prompt_of(tools=[LOOK, AGENTS], tool_choice=choice).tools
    assert use is not None
    assert [tool.name for tool in use.tools] == ["agents__close"]
    assert use.mode is ToolMode.REQUIRED


def test_where_no_tool_is_allowed_that_is_here_none_is_called() -> None:
    choice = {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "mcp"}]}
    use = prompt_of(tools=[LOOK], tool_choice=choice).tools
    assert use is not None
    assert use.mode is ToolMode.NONE


@pytest.mark.parametrize(
    ("form", "kind", "param"),
    [
        ({"type": "text"}, None, ""),
        ({"type": "json_object"}, GrammarKind.JSON_SCHEMA, "text.format"),
        (
            {"type": "json_schema", "name": "n", "schema": {"type": "object"}},
            GrammarKind.JSON_SCHEMA,
            "text.format.schema",
        ),
        (
            {"type": "grammar", "grammar": "start: /x/"},
            GrammarKind.LARK,
            "text.format.grammar",
        ),
    ],
)
def test_a_format_becomes_a_grammar(form: Any, kind: Any, param: str) -> None:
    grammar = read(text={"format": form})[0].work.grammar
    found = (grammar.kind, grammar.param) if grammar is not None else (None, "")
    assert found == (kind, param)


def test_what_is_asked_of_the_sampler_reaches_it() -> None:
    work = read(
        temperature=0.5,
        top_p=0.9,
        presence_penalty=1,
        frequency_penalty=-1,
        max_output_tokens=5,
        top_logprobs=2,
        reasoning={"effort": "low", "summary": "auto"},
        truncation="auto",
    )[0].work
    sampling = work.sampling
    assert (sampling.temperature, sampling.top_p) == (0.5, 0.9)
    assert (sampling.presence_penalty, sampling.frequency_penalty) == (1, -1)
    assert (sampling.max_tokens, sampling.logprobs) == (5, 2)
    assert work.truncates
    assert work.chat is not None
    assert work.chat.reasoning_effort == "low"
    told = read(include=["message.output_text.logprobs"])[0].work.sampling
    assert told.logprobs == 0
    greedy = read(top_p=0)[0].work.sampling
    assert (greedy.temperature, greedy.top_p) == (0.0, None)


def test_what_means_nothing_here_is_ignored_by_name() -> None:
    ignored = ignored_in(
        input=[{"type": "web_search_call", "id": "ws"}, user("Hi")],
        include=["code_interpreter_call.outputs"],
        text={"verbosity": "low"},
        prompt_cache_retention="24h",
        best=5,
    )
    assert set(ignored) == {
        "input[0].web_search_call",
        "include[].code_interpreter_call.outputs",
        "text.verbosity",
        "prompt_cache_retention",
        "best",
    }


def test_what_has_no_effect_is_taken_and_recorded() -> None:
    metadata = {"session_id": "s1", "turn": {"n": 1}}
    request, _ = read(
        metadata={"a": "b"},
        client_metadata=metadata,
        prompt_cache_key="k",
        safety_identifier="ann",
        service_tier="auto",
        user="bob",
        stream_options={"include_obfuscation": False},
        max_tool_calls=3,
    )
    assert "ignored" not in request.params
    assert request.params["client_metadata"] == metadata
    assert {"input", "model", "instructions"}.isdisjoint(request.params)


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        ({"input": None}, ("missing_required_parameter", "input")),
        ({"input": []}, ("missing_required_parameter", "input")),
        ({"input": 5}, ("invalid_type", "input")),
        (
            {"input": [{"content": "x"}]},
            ("missing_required_parameter", "input[0].type"),
        ),
        (
            {"input": [{"type": "mcp_call"}, {"role": "robot", "content": "x"}]},
            ("invalid_value", "input[1].role"),
        ),
        ({"input": [RESULT]}, ("invalid_value", "input[0].call_id")),
        ({"input": [user("Hi"), CALL]}, ("invalid_value", "input[1]")),
        (
            {"input": [{"type": "item_reference", "id": "msg_1"}]},
            ("invalid_value", "input[0]"),
        ),
        (
            {
                "input": [
                    {
                        "role": "user",
                        "content": [{"type": "input_file", "file_id": "f"}],
                    }
                ]
            },
            ("unsupported_parameter", "input[0].content[0]"),
        ),
        ({"tools": [LOOK, LOOK]}, ("invalid_value", "tools[1].name")),
        (
            {"tools": [{"type": "function"}]},
            ("missing_required_parameter", "tools[0].name"),
        ),
        ({"tool_choice": "required"}, ("invalid_value", "tool_choice")),
        (
            {"tools": [LOOK], "tool_choice": {"type": "function", "name": "f"}},
            ("invalid_value", "tool_choice"),
        ),
        ({"text": {"format": {"type": "xml"}}}, ("invalid_value", "text.format.type")),
        ({"temperature": 3}, ("decimal_above_max_value", "temperature")),
        ({"max_output_tokens": 0}, ("integer_below_min_value", "max_output_tokens")),
        ({"top_logprobs": 21}, ("integer_above_max_value", "top_logprobs")),
        ({"prompt": {"id": "p"}}, ("unsupported_parameter", "prompt")),
        (
            {"conversation": "conv_1", "previous_response_id": "resp_1"},
            ("invalid_value", "previous_response_id"),
        ),
    ],
)
def test_what_cannot_be_honoured_is_named(
    body: dict[str, Any], fault: tuple[str, str]
) -> None:
    assert fault_of(**body) == fault


def test_names_that_nobody_knows_are_refused_where_it_is_strict() -> None:
    with pytest.raises(InvalidRequestError, match=r"tools\[0\].web_search"):
        to_asked(
            {"input": "Hi", "tools": [{"type": "web_search"}]},
            limits=DEFAULT_LIMITS,
            strict=True,
        )


def test_a_schema_that_is_too_long_is_refused() -> None:
    schema = {"type": "object", "description": "x" * DEFAULT_LIMITS.grammar_chars}
    tool = LOOK | {"parameters": schema}
    assert fault_of(tools=[tool])[1] == "tools[0].parameters"
    assert len(json.dumps(schema)) > DEFAULT_LIMITS.grammar_chars
