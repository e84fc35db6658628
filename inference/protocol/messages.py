"""The grammar of a conversation: messages as they are sent, and what they become."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from msgspec import Struct

from inference.core.requests import ChatMessage, ContentPart, TextPart
from inference.protocol import faults
from inference.protocol.calls import (
    FunctionCallBody,
    ToolCallBody,
    plain_name,
    to_call,
    to_calls,
)
from inference.protocol.coercions import EMPTY, only_empty
from inference.protocol.declared import Bound, ErrorWords, Reads, Said
from inference.protocol.parts import Parts, Text, to_parts

if TYPE_CHECKING:
    from inference.core.limits import Limits

_Parts = Annotated[Parts, Bound(min_length=1, max_length="parts_per_message")]
_Content = Text | _Parts
# What clients send that write every field of every message.
_Nothing = (
    Literal[""]
    | Annotated[list[Any], Bound(max_length=0)]
    | Annotated[dict[str, Any], Bound(max_length=0)]
    | None
)
_ASSISTANTS = only_empty(
    faults.invalid, "only allowed in messages with role 'assistant'."
)
_TOOLS = only_empty(faults.invalid, "only allowed in messages with role 'tool'.")
_AUDIO = only_empty(faults.unsupported, "is not supported.")


class MessageBody(Struct, tag_field="role", kw_only=True):
    """What every message may carry."""

    audio: Annotated[_Nothing, _AUDIO] = None
    name: Annotated[str | None, Bound(max_length="name_chars")] = None
    annotations: Any = None


class ToldBody(MessageBody, kw_only=True):
    """What every message may carry that no assistant wrote."""

    tool_calls: Annotated[_Nothing, _ASSISTANTS] = None
    function_call: Annotated[_Nothing, _ASSISTANTS] = None
    refusal: Annotated[_Nothing, _ASSISTANTS] = None
    reasoning_content: Annotated[_Nothing, _ASSISTANTS] = None
    reasoning: Annotated[_Nothing, _ASSISTANTS] = None


class SystemMessageBody(ToldBody, tag="system", kw_only=True):
    """Instructions."""

    tool_call_id: Annotated[_Nothing, _TOOLS] = None
    content: _Content


class DeveloperMessageBody(SystemMessageBody, tag="developer"):
    """Instructions, by their newer name."""


class UserMessageBody(ToldBody, tag="user", kw_only=True):
    """What the user says and shows."""

    tool_call_id: Annotated[_Nothing, _TOOLS] = None
    content: _Content


class ToolMessageBody(ToldBody, tag="tool", kw_only=True):
    """What a call of an earlier message gave."""

    tool_call_id: str
    content: _Content


class FunctionMessageBody(ToldBody, tag="function", kw_only=True):
    """What a call by the older name, `function_call`, gave."""

    tool_call_id: Annotated[_Nothing, _TOOLS] = None
    content: Annotated[_Content | None, EMPTY] = None


class AssistantMessageBody(MessageBody, tag="assistant", kw_only=True):
    """An earlier answer."""

    tool_call_id: Annotated[_Nothing, _TOOLS] = None
    tool_calls: Annotated[
        list[ToolCallBody] | None,
        Bound(max_length="tool_calls"),
        EMPTY,
    ] = None
    function_call: Annotated[FunctionCallBody | None, EMPTY] = None
    reasoning_content: Text | None = None
    reasoning: Text | None = None
    refusal: Text | None = None
    content: Annotated[_Content | None, EMPTY] = None


_AnyMessage = (
    SystemMessageBody
    | DeveloperMessageBody
    | UserMessageBody
    | AssistantMessageBody
    | ToolMessageBody
    | FunctionMessageBody
)
ROLES = ("system", "developer", "user", "assistant", "tool", "function")


def _to_messages(
    sent: list[Any], path: str, _limits: Limits
) -> tuple[ChatMessage, ...]:
    """Read a conversation; `called` collects the calls so far, by their ids."""
    called: dict[str, str] = {}
    return tuple([_to_message(each, called, path, i) for i, each in enumerate(sent)])


def _to_message(
    sent: Any, called: dict[str, str], path: str, place: int
) -> ChatMessage:
    content, role = sent.content, sent.__struct_config__.tag
    parts: tuple[ContentPart, ...] = ()
    if type(content) is str:
        parts = (TextPart(content),)
    elif content is not None:
        parts = to_parts(content, f"{path}[{place}].content", role=role)
    if role == "assistant":
        return _to_assistants(sent, parts, called, place)
    if role == "function":
        return _to_result(sent, parts, called)
    call_id = sent.tool_call_id if role == "tool" else None
    if call_id is not None and call_id not in called:
        raise faults.invalid(
            f"{path}[{place}].tool_call_id",
            "messages with role 'tool' must be a response to a preceding message "
            "with 'tool_calls'.",
        )
    name = plain_name(sent.name) if role == "tool" and sent.name else sent.name
    return ChatMessage(role, parts, name, tool_call_id=call_id)


def _to_assistants(
    sent: AssistantMessageBody,
    parts: tuple[ContentPart, ...],
    called: dict[str, str],
    place: int,
) -> ChatMessage:
    calls = to_calls(sent.tool_calls) if sent.tool_calls else ()
    if sent.function_call is not None:
        calls = (*calls, to_call(f"function_call_{place}", sent.function_call))
    called |= {call.id: call.name for call in calls}
    # Thinking goes by two names; both hold the same text.
    reasoning = sent.reasoning_content or sent.reasoning or ""
    if sent.refusal:
        parts = (*parts, TextPart(sent.refusal))
    if not (parts or calls or reasoning):
        # A turn that was broken off: it stays one, so that turns go on alternating.
        parts = (TextPart(""),)
    return ChatMessage(
        "assistant", parts, sent.name, tool_calls=calls, reasoning=reasoning
    )


def _to_result(
    sent: FunctionMessageBody, parts: tuple[ContentPart, ...], called: dict[str, str]
) -> ChatMessage:
    """Return what a function gave as the result of the last call of its name."""
    name = plain_name(sent.name or "")
    answered = [id_ for id_, each in called.items() if each == name]
    call_id = answered[-1] if answered else ""
    return ChatMessage("tool", parts or (TextPart(""),), name, tool_call_id=call_id)


READ_MESSAGES = Reads(
    Annotated[
        list[_AnyMessage],
        Bound(min_length=1, max_length="messages"),
        ErrorWords("an array of objects"),
    ],
    _to_messages,
)
Messages = Annotated[
    tuple[ChatMessage, ...],
    READ_MESSAGES,
    Said(
        "The conversation to continue. A tool's message answers a call "
        "of an earlier one; `reasoning_content` carries thinking back.",
        absent="a 400",
        takes="array of 1 to {0.messages:,} messages; roles "
        + ", ".join(f"`{role}`" for role in ROLES),
        refuses="audio and files of the user's; elsewhere a few words stand for them",
    ),
]
