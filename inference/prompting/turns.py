"""Messages as the turns that chat templates read, with tools or with words for them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from inference.core.requests import ChatMessage, Tool, ToolCall, ToolUse

# What a model without tools of its own is told; `inference.engines.plans` reads
# what it writes.
_HOW_TO_CALL = """You can call these functions, given as JSON, one a line:
{tools}

To call one, write nothing but this, with the function's name and its arguments:
<tool_call>
{{"name": "NAME", "arguments": {{}}}}
</tool_call>
The results come back between <tool_response> and </tool_response>."""


def tool_objects(tools: Sequence[Tool]) -> list[dict[str, Any]]:
    """Return tools in OpenAI's shape, which templates expect."""
    return [{"type": "function", "function": _function(tool)} for tool in tools]


def native_turns(messages: Sequence[ChatMessage]) -> list[dict[str, Any]]:
    """Return the turns for a template that knows tools."""
    names: dict[str, str] = {}
    turns = []
    for message in messages:
        names |= {call.id: call.name for call in message.tool_calls}
        turn = _turn(message)
        if message.tool_calls:
            turn["tool_calls"] = [_native_call(call) for call in message.tool_calls]
        if message.tool_call_id is not None:
            turn["tool_call_id"] = message.tool_call_id
            turn.setdefault("name", names.get(message.tool_call_id, ""))
        turns.append(turn)
    return turns


def written_turns(
    messages: Sequence[ChatMessage], tools: ToolUse | None
) -> list[dict[str, Any]]:
    """Return the turns for a template that knows no tools: all of it as text.

    The results of calls that were made together share one turn of the user's, as
    roles may have to alternate.
    """
    turns: list[dict[str, Any]] = []
    if tools is not None:
        lines = "\n".join(_compact(_function(tool)) for tool in tools.tools)
        turns.append({"role": "system", "content": _HOW_TO_CALL.format(tools=lines)})
    follows_result = False
    for at, message in enumerate(messages):
        turn = _turn(message)
        if message.tool_calls:
            calls = "\n".join(_written_call(call) for call in message.tool_calls)
            turn["content"] = "\n".join(filter(None, (turn["content"], calls)))
        is_result = message.role == "tool"
        if is_result:
            written = f"<tool_response>\n{turn['content']}\n</tool_response>"
            if follows_result:
                turns[-1]["content"] += f"\n{written}"
                continue
            turn = {"role": "user", "content": written}
        follows_result = is_result
        if at == 0 and turns and turn["role"] == "system":
            turns[0]["content"] = f"{turn['content']}\n\n{turns[0]['content']}"
        else:
            turns.append(turn)
    return turns


def _turn(message: ChatMessage) -> dict[str, Any]:
    # Templates know "system"; OpenAI renamed it for newer models.
    role = "system" if message.role == "developer" else message.role
    turn: dict[str, Any] = {"role": role, "content": message.text}
    if message.name:
        turn["name"] = message.name
    if message.reasoning:
        turn["reasoning_content"] = message.reasoning
    return turn


def _function(tool: Tool) -> dict[str, Any]:
    return {
        "name": tool.name,
        "description": tool.description,
        "parameters": tool.parameters or {"type": "object", "properties": {}},
    }


def _native_call(call: ToolCall) -> dict[str, Any]:
    return {
        "id": call.id,
        "type": "function",
        "function": {"name": call.name, "arguments": _arguments(call)},
    }


def _written_call(call: ToolCall) -> str:
    body = _compact({"name": call.name, "arguments": _arguments(call)})
    return f"<tool_call>\n{body}\n</tool_call>"


def _arguments(call: ToolCall) -> Any:
    """Return the arguments as an object where they are one, which templates expect."""
    try:
        arguments = json.loads(call.arguments)
    except ValueError:
        return call.arguments
    return arguments if isinstance(arguments, dict) else call.arguments


def _compact(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
