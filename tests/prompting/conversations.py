"""Conversations as clients send them, and what becomes of them in a prompt."""

from __future__ import annotations

from typing import Any

from inference.core.requests import (
    ChatMessage,
    ChatPrompt,
    TextPart,
    Tool,
    ToolCall,
    ToolUse,
)
from inference.prompting.templates import RenderedPrompt, render
from inference.prompting.traits import traits_of

LOOK_UP = Tool(
    "look_up",
    "Looks it up.",
    {"type": "object", "properties": {"of": {"type": "string"}}},
)
TOOLS = ToolUse((LOOK_UP,))


def said(role: str, *texts: str, **more: Any) -> ChatMessage:
    return ChatMessage(role, tuple(TextPart(text) for text in texts), **more)


def called(of: str, call_id: str = "call_0123456789abcdef") -> ChatMessage:
    call = ToolCall(call_id, "look_up", f'{{"of": "{of}"}}')
    return ChatMessage("assistant", (), tool_calls=(call,))


def result(text: str, call_id: str = "call_0123456789abcdef") -> ChatMessage:
    return said("tool", text, tool_call_id=call_id)


MESSY = (
    said("system", "Be brief."),
    said("user", "Hello"),
    said("user", "once more"),
    said("assistant", " "),
    said("assistant", "Hi"),
    said("assistant", "and welcome"),
    said("system", "Now in French."),
    said("user", "Bye"),
)
CLEAN = (said("user", "Hello"), said("assistant", "Hi"), said("user", "Bye"))


def prompt_of(
    tokenizer: Any, messages: tuple[ChatMessage, ...], **asked: Any
) -> tuple[str, RenderedPrompt]:
    """Return the prompt as text, and as it comes out."""
    think_start = asked.pop("think_start", None)
    system_prompt = asked.pop("system_prompt", "")
    prompt = render(
        tokenizer,
        ChatPrompt(messages, **asked),
        traits_of(tokenizer),
        think_start=think_start,
        system_prompt=system_prompt,
    )
    return tokenizer.decode(prompt.tokens), prompt


def in_order(text: str, *pieces: str) -> bool:
    """Whether all pieces are in the text, one after the other."""
    at = 0
    for piece in pieces:
        found = text.find(piece, at)
        if found < 0:
            return False
        at = found + len(piece)
    return True
