"""Messages as the turns that chat templates read, with tools or with words for them."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any

from inference.core.requests import ChatMessage, TextPart
from inference.prompting.writing import arguments_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from inference.core.requests import Tool, ToolCall, ToolUse

# Mistral's templates refuse calls whose ids have any other length.
_SHORT_ID_CHARS = 9

# What a model without tools of its own is told; `inference.engine.answers.plans` reads
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
# Under these names templates read an earlier turn's thinking; most under the first.
THINKING_KEYS = ("reasoning_content", "thinking", "reasoning", "thought")
USUAL_THINKING_KEY = THINKING_KEYS[0]


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
    messages: Sequence[ChatMessage],
    dialect: CallDialect = USUAL_DIALECT,
    thinking_key: str = USUAL_THINKING_KEY,
) -> list[dict[str, Any]]:
    """Return the turns for a template that knows tools."""
    names: dict[str, str] = {}
    turns = []
    for message in _in_order_of_calls(messages):
        names |= {call.id: call.name for call in message.tool_calls}
        turn = _turn(message, thinking_key)
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
    messages: Sequence[ChatMessage],
    tools: ToolUse | None,
    thinking_key: str = USUAL_THINKING_KEY,
) -> list[dict[str, Any]]:
    """Return the turns for a template that knows no tools: these are explained.

    Calls and results are words in `messages` already.
    """
    turns = [_turn(message, thinking_key) for message in messages]
    if tools is None:
        return turns
    lines = "\n".join(_compact(_function(tool)) for tool in tools.tools)
    explained = _HOW_TO_CALL.format(tools=lines)
    if turns and turns[0]["role"] == "system":
        turns[0]["content"] += f"\n\n{explained}"
        return turns
    return [{"role": "system", "content": explained}, *turns]


def as_parts(turns: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return turns with their content as a list of parts."""
    return [
        {**turn, "content": [{"type": "text", "text": turn["content"]}]}
        if isinstance(turn.get("content"), str)
        else turn
        for turn in turns
    ]


def _in_order_of_calls(messages: Sequence[ChatMessage]) -> list[ChatMessage]:
    """Return messages with results in the order of their calls.

    Many templates leave ids out, and then only the order tells which is which.
    """
    place: dict[str | None, int] = {}
    ordered: list[ChatMessage] = []
    for role, together in groupby(messages, lambda message: message.role):
        group = list(together)
        if role == "tool":
            group.sort(key=lambda message: place.get(message.tool_call_id, len(place)))
        for message in group:
            if message.tool_calls:
                place = {call.id: at for at, call in enumerate(message.tool_calls)}
        ordered += group
    return ordered


def _turn(message: ChatMessage, thinking_key: str) -> dict[str, Any]:
    # Templates know "system"; OpenAI renamed it for newer models.
    role = "system" if message.role == "developer" else message.role
    turn: dict[str, Any] = {"role": role, "content": message.text}
    if message.name:
        turn["name"] = message.name
    if message.reasoning:
        turn[thinking_key] = message.reasoning
    return turn


def _function(tool: Tool) -> dict[str, Any]:
    return {
        "name": tool.name,
        "description": tool.description,
        "parameters": tool.parameters or {"type": "object", "properties": {}},
    }


def _native_call(call: ToolCall, dialect: CallDialect) -> dict[str, Any]:
    arguments = call.arguments if dialect.text_arguments else arguments_of(call)
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


def _compact(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
