"""Messages as the turns that chat templates read, with tools or with words for them."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from inference.core.requests import ChatMessage, TextPart

if TYPE_CHECKING:
    from collections.abc import Sequence

    from inference.core.requests import Tool, ToolCall, ToolUse

# Mistral's templates refuse calls whose ids have any other length.
_SHORT_ID_CHARS = 9

# What a model without tools of its own is told; `inference.engines.plans` reads
# what it writes.
_HOW_TO_CALL = """You can call these functions, given as JSON, one a line:
{tools}

To call one, write nothing but this, with the function's name and its arguments:
<tool_call>
{{"name": "NAME", "arguments": {{}}}}
</tool_call>
The results come back between <tool_response> and </tool_response>."""


@dataclass(frozen=True, slots=True)
class CallDialect:
    """How a template wants calls that were made.

    `short_ids`: nine letters and digits. `text_arguments`: as JSON text, not as an
    object. `omits_empty`: no content at all beside calls, instead of an empty one.
    """

    short_ids: bool = False
    text_arguments: bool = False
    omits_empty: bool = False


USUAL_DIALECT = CallDialect()


def with_system_prompt(
    messages: tuple[ChatMessage, ...], prompt: str
) -> tuple[ChatMessage, ...]:
    """Return the messages, after `prompt` where they have no system message."""
    has_one = any(message.role in ("system", "developer") for message in messages)
    if not prompt or has_one:
        return messages
    return (ChatMessage("system", (TextPart(prompt),)), *messages)


def tool_objects(tools: Sequence[Tool]) -> list[dict[str, Any]]:
    """Return tools in OpenAI's shape, which templates expect."""
    return [{"type": "function", "function": _function(tool)} for tool in tools]


def native_turns(
    messages: Sequence[ChatMessage], dialect: CallDialect = USUAL_DIALECT
) -> list[dict[str, Any]]:
    """Return the turns for a template that knows tools."""
    names: dict[str, str] = {}
    turns = []
    for message in messages:
        names |= {call.id: call.name for call in message.tool_calls}
        turn = _turn(message)
        if message.tool_calls:
            turn["tool_calls"] = [
                _native_call(call, dialect) for call in message.tool_calls
            ]
            if dialect.omits_empty and not turn["content"]:
                del turn["content"]
        if message.tool_call_id is not None:
            turn["tool_call_id"] = _id(message.tool_call_id, dialect)
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


def _native_call(call: ToolCall, dialect: CallDialect) -> dict[str, Any]:
    arguments = call.arguments if dialect.text_arguments else _arguments(call)
    return {
        "id": _id(call.id, dialect),
        "type": "function",
        "function": {"name": call.name, "arguments": arguments},
    }


def _id(name: str, dialect: CallDialect) -> str:
    """Return a call's id as the template takes it; the same one again and again."""
    is_short = len(name) == _SHORT_ID_CHARS and name.isalnum()
    if is_short or not dialect.short_ids:
        return name
    return hashlib.sha256(name.encode()).hexdigest()[:_SHORT_ID_CHARS]


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
