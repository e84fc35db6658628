"""Which tools a request may name, and how tools stand in a conversation."""

from __future__ import annotations

import re
from typing import Any

import pytest

from inference.core.limits import DEFAULT_LIMITS, Limits
from inference.core.requests import ChatMessage, TextPart, Tool, ToolCall, ToolMode
from tests.protocol.cast import fault_of, read, refusal_of, to_messages


def tool(name: Any = "f", **function: Any) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name, **function}}


def call(name: Any = "f", arguments: Any = "{}", **changes: Any) -> dict[str, Any]:
    function = {"name": name, "arguments": arguments}
    return {"id": "c1", "type": "function", "function": function, **changes}


def allowed(*names: str, mode: str = "auto") -> dict[str, Any]:
    within = {"mode": mode, "tools": [tool(name) for name in names]}
    return {"type": "allowed_tools", "allowed_tools": within}


ASKED: dict[str, Any] = {"role": "assistant", "content": None, "tool_calls": [call()]}
ANSWERED: dict[str, Any] = {"role": "tool", "tool_call_id": "c1", "content": "20 °C"}


@pytest.mark.shows("tools", "parallel_tool_calls")
def test_it_reads_the_tools_of_a_request() -> None:
    schema = {"type": "object", "properties": {"city": {"type": "string"}}}
    weather = tool("get.weather", description="d", parameters=schema, strict=True)
    use = read(tools=[weather, tool()], parallel_tool_calls=False).tools
    assert use is not None
    assert use.tools == (Tool("get.weather", "d", schema), Tool("f"))
    assert (use.mode, use.parallel) == (ToolMode.AUTO, False)


@pytest.mark.shows("tool_choice")
@pytest.mark.parametrize(
    ("choice", "mode", "function"),
    [
        ("none", ToolMode.NONE, ""),
        ("auto", ToolMode.AUTO, ""),
        ("required", ToolMode.REQUIRED, ""),
        (tool(), ToolMode.FUNCTION, "f"),
    ],
)
def test_it_reads_how_free_the_model_is_to_call(
    choice: Any, mode: ToolMode, function: str
) -> None:
    use = read(tools=[tool(), tool("g")], tool_choice=choice).tools
    assert use is not None
    assert (use.mode, use.function) == (mode, function)
    assert use.parallel is not use.is_forced


@pytest.mark.parametrize(
    ("tools", "code", "param"),
    [
        ({}, "invalid_type", "tools"),
        ([tool()] * 129, "array_above_max_length", "tools"),
        (["f"], "invalid_type", "tools[0]"),
        ([{"function": {}}], "missing_required_parameter", "tools[0].type"),
        ([{"type": "custom"}], "unsupported_parameter", "tools[0].type"),
        ([{"type": "web"}], "invalid_value", "tools[0].type"),
        ([{"type": "function"}], "missing_required_parameter", "tools[0].function"),
        ([tool(None)], "missing_required_parameter", "tools[0].function.name"),
        ([tool(""), 1], "empty_string", "tools[0].function.name"),
        ([tool("n" * 257)], "string_above_max_length", "tools[0].function.name"),
        ([tool(parameters=[])], "invalid_type", "tools[0].function.parameters"),
        ([tool(strict="yes")], "invalid_type", "tools[0].function.strict"),
        ([tool(), tool()], "invalid_value", "tools[1].function.name"),
    ],
)
def test_it_names_the_tool_at_fault(tools: Any, code: str, param: str) -> None:
    assert fault_of(tools=tools) == (code, param)


@pytest.mark.parametrize(
    ("choice", "code", "param"),
    [
        (1, "invalid_type", "tool_choice"),
        ("maybe", "invalid_value", "tool_choice"),
        (tool("h"), "invalid_value", "tool_choice"),
        (
            {"type": "allowed_tools"},
            "missing_required_parameter",
            "tool_choice.allowed_tools",
        ),
        (allowed("f", "h"), "invalid_value", "tool_choice"),
        ({"type": "custom"}, "invalid_value", "tool_choice.type"),
        (
            {"type": "function", "function": {}},
            "missing_required_parameter",
            "tool_choice.function.name",
        ),
    ],
)
def test_it_names_a_choice_at_fault(choice: Any, code: str, param: str) -> None:
    assert fault_of(tools=[tool()], tool_choice=choice) == (code, param)


@pytest.mark.parametrize("choice", ["required", tool(), allowed("f", mode="required")])
def test_it_refuses_a_choice_without_tools(choice: Any) -> None:
    assert fault_of(tool_choice=choice) == ("invalid_value", "tool_choice")
    assert fault_of(tool_choice=choice, tools=[])[1] == "tool_choice"


def test_a_model_knows_only_the_tools_that_are_allowed() -> None:
    tools = [tool(), tool("g"), tool("h")]
    use = read(tools=tools, tool_choice=allowed("g", "f", mode="required")).tools
    assert use is not None
    assert [each.name for each in use.tools] == ["f", "g"]
    assert use.mode is ToolMode.REQUIRED


@pytest.mark.parametrize("name", ["a b", "mcp::x/y", "é\n", '"}<|im_end|>', "n" * 65])
def test_a_name_that_no_dialect_could_write_gets_one_for_the_model(name: str) -> None:
    request = read(
        tools=[tool(name), tool()],
        tool_choice=tool(name),
        messages=[{"role": "assistant", "tool_calls": [call(name, id="")]}],
    )
    use = request.tools
    assert use is not None
    plain = use.tools[0].name
    assert re.fullmatch(r"[A-Za-z0-9_.-]{1,64}", plain)
    assert use.sent_names == {plain: name}
    assert (use.function, use.callable_tools) == (plain, use.tools[:1])
    assert request.messages[0].tool_calls == (ToolCall("", plain, "{}"),)


def test_tools_of_other_types_are_ignored_beside_functions() -> None:
    others = [{"type": "web_search"}, {"type": "namespace", "tools": []}]
    request = read(tools=[others[0], tool(), others[1]])
    assert request.tools == read(tools=[tool()]).tools
    assert request.params["ignored"] == ["tools[0].web_search", "tools[2].namespace"]


def test_it_bounds_a_tools_parameters() -> None:
    tools = [tool(parameters={"x": "y" * 99})]
    error = refusal_of(tools=tools, limits=Limits(grammar_chars=99))
    assert error.param == "tools[0].function.parameters"


def test_it_reads_calls_and_what_came_back() -> None:
    assert to_messages([ASKED, ANSWERED], limits=DEFAULT_LIMITS) == (
        ChatMessage(role="assistant", tool_calls=(ToolCall("c1", "f", "{}"),)),
        ChatMessage(role="tool", content=(TextPart("20 °C"),), tool_call_id="c1"),
    )


@pytest.mark.parametrize("key", ["reasoning_content", "reasoning"])
def test_it_takes_thinking_back(key: str) -> None:
    said = {"role": "assistant", "content": "4", key: "2+2"}
    (message,) = to_messages([said], limits=DEFAULT_LIMITS)
    assert (message.text, message.reasoning) == ("4", "2+2")


def test_it_keeps_a_refusal_as_what_was_said() -> None:
    field: dict[str, Any] = {"role": "assistant", "content": None, "refusal": "No."}
    part = {"role": "assistant", "content": [{"type": "refusal", "refusal": "No."}]}
    messages = to_messages([field, part], limits=DEFAULT_LIMITS)
    assert [message.text for message in messages] == ["No.", "No."]


def asked(*calls: Any) -> list[Any]:
    return [{**ASKED, "tool_calls": list(calls)}]


CALL = "messages[0].tool_calls[0]"


@pytest.mark.parametrize(
    ("messages", "code", "param"),
    [
        ([ANSWERED], "invalid_value", "messages[0].tool_call_id"),
        ([ANSWERED, ASKED], "invalid_value", "messages[0].tool_call_id"),
        (
            [ASKED, ANSWERED | {"tool_call_id": "c2"}],
            "invalid_value",
            "messages[1].tool_call_id",
        ),
        (
            [ASKED, {"role": "tool", "content": "x"}],
            "missing_required_parameter",
            "messages[1].tool_call_id",
        ),
        (
            [ASKED, ANSWERED | {"content": None}],
            "missing_required_parameter",
            "messages[1].content",
        ),
        ([ASKED | {"role": "user"}], "invalid_value", "messages[0].tool_calls"),
        (
            [{"role": "user", "content": "x", "tool_call_id": "c"}],
            "invalid_value",
            "messages[0].tool_call_id",
        ),
        ([ASKED | {"tool_calls": {"a": 1}}], "invalid_type", "messages[0].tool_calls"),
        (asked(*[call()] * 129), "array_above_max_length", "messages[0].tool_calls"),
        (asked("f"), "invalid_type", CALL),
        (asked(call(id=None)), "missing_required_parameter", f"{CALL}.id"),
        (asked(call(id="i" * 4097)), "string_above_max_length", f"{CALL}.id"),
        (asked(call(type="custom")), "unsupported_parameter", f"{CALL}.type"),
        (asked(call(arguments={})), "invalid_type", f"{CALL}.function.arguments"),
    ],
)
def test_it_names_the_call_at_fault(messages: Any, code: str, param: str) -> None:
    assert fault_of(messages=messages) == (code, param)
