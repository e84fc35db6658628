"""Which tools a request may name, and how tools stand in a conversation."""

from __future__ import annotations

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


ASKED: dict[str, Any] = {"role": "assistant", "content": None, "tool_calls": [call()]}
ANSWERED: dict[str, Any] = {"role": "tool", "tool_call_id": "c1", "content": "20 °C"}


@pytest.mark.shows("tools", "parallel_tool_calls")
def test_it_reads_the_tools_of_a_request() -> None:
    schema = {"type": "object", "properties": {"city": {"type": "string"}}}
    weather = tool("get.weather", description="d", parameters=schema, strict=True)
    use = read(tools=[weather, tool()], parallel_tool_calls=False).tools
    assert use is not None
    assert use.tools == (Tool("get.weather", "d", schema, True), Tool("f"))
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
        ([tool(""), 1], "invalid_value", "tools[0].function.name"),
        ([tool("a b")], "invalid_value", "tools[0].function.name"),
        ([tool("n" * 65)], "invalid_value", "tools[0].function.name"),
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
        ({"type": "allowed_tools"}, "unsupported_parameter", "tool_choice"),
        ({"type": "custom"}, "unsupported_parameter", "tool_choice"),
        (
            {"type": "function", "function": {}},
            "missing_required_parameter",
            "tool_choice.function.name",
        ),
    ],
)
def test_it_names_a_choice_at_fault(choice: Any, code: str, param: str) -> None:
    assert fault_of(tools=[tool()], tool_choice=choice) == (code, param)


@pytest.mark.parametrize("choice", ["auto", "required", tool()])
def test_it_refuses_a_choice_without_tools(choice: Any) -> None:
    assert fault_of(tool_choice=choice) == ("invalid_value", "tool_choice")
    assert fault_of(tool_choice=choice, tools=[])[1] == "tool_choice"


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
        (asked(call(id="")), "empty_string", f"{CALL}.id"),
        (asked(call(id="i" * 257)), "string_above_max_length", f"{CALL}.id"),
        (asked(call(type="custom")), "unsupported_parameter", f"{CALL}.type"),
        (asked(call(name="a b")), "invalid_value", f"{CALL}.function.name"),
        (asked(call(arguments={})), "invalid_type", f"{CALL}.function.arguments"),
    ],
)
def test_it_names_the_call_at_fault(messages: Any, code: str, param: str) -> None:
    assert fault_of(messages=messages) == (code, param)
