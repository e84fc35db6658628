"""The grammar of a conversation: messages as they are sent, and what they become."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from msgspec import Struct

from inference.core.requests import ChatMessage, ContentPart, ImagePart, TextPart
from inference.protocol import faults
from inference.protocol.calls import ToolCallBody, to_calls
from inference.protocol.declared import (
    Bound,
    Lax,
    Reads,
    Said,
    Unsupported,
    Words,
    empty_as_absent,
    only_empty,
)

if TYPE_CHECKING:
    from inference.core.limits import Limits

_URL_STARTS = ("data:image/", "https://", "http://")
_URL_START_CHARS = 16

Text = Annotated[str, Bound(max_length="text_chars")]
_Url = Annotated[str, Bound(max_length="url_chars")]
_Parts = Bound(min_length=1, max_length="parts_per_message")
# What clients send that write every field of every message.
_Nothing = (
    Literal[""]
    | Annotated[list[Any], Bound(max_length=0)]
    | Annotated[dict[str, Any], Bound(max_length=0)]
    | None
)
_UNREAD_PART = Unsupported(
    "of type '{}' is not supported.", ("input_audio", "file"), whole=True
)
_ASSISTANTS = only_empty(
    faults.invalid, "only allowed in messages with role 'assistant'."
)
_TOOLS = only_empty(faults.invalid, "only allowed in messages with role 'tool'.")
_AUDIO = only_empty(faults.unsupported, "is not supported.")
_FUNCTION_CALL = only_empty(
    faults.unsupported, "is not supported. Send 'tool_calls' instead."
)


class ImageBody(Struct):
    """Where an image is, and how closely to look."""

    url: _Url
    detail: Annotated[
        Literal["auto", "low", "high"] | None,
        Lax(lambda value, _: value if value is None else str(value)),
    ] = None


class ImagePartBody(Struct, tag_field="type", tag="image_url"):
    """An image; some clients send the URL alone."""

    image_url: Annotated[_Url | ImageBody, Words("an object")]


class TextPartBody(Struct, tag_field="type", tag="text"):
    """Text."""

    text: Text


class RefusalPartBody(Struct, tag_field="type", tag="refusal"):
    """What the assistant said instead of an answer."""

    refusal: Text


class OnlyTextBody(Struct):
    """A part where no other type is taken."""

    type: Annotated[Literal["text"], _UNREAD_PART]
    text: Text


_TextContent = Text | Annotated[list[OnlyTextBody], _Parts]
_UserParts = list[Annotated[TextPartBody | ImagePartBody, _UNREAD_PART]]
_AssistantParts = list[Annotated[TextPartBody | RefusalPartBody, _UNREAD_PART]]


class MessageBody(Struct, tag_field="role", kw_only=True):
    """What every message may carry."""

    function_call: Annotated[_Nothing, _FUNCTION_CALL] = None
    audio: Annotated[_Nothing, _AUDIO] = None
    name: Annotated[str | None, Bound(max_length="name_chars")] = None
    annotations: Any = None


class ToldBody(MessageBody, kw_only=True):
    """What every message may carry that no assistant wrote."""

    tool_calls: Annotated[_Nothing, _ASSISTANTS] = None
    refusal: Annotated[_Nothing, _ASSISTANTS] = None
    reasoning_content: Annotated[_Nothing, _ASSISTANTS] = None
    reasoning: Annotated[_Nothing, _ASSISTANTS] = None


class SystemMessageBody(ToldBody, tag="system", kw_only=True):
    """Instructions."""

    tool_call_id: Annotated[_Nothing, _TOOLS] = None
    content: _TextContent


class DeveloperMessageBody(SystemMessageBody, tag="developer"):
    """Instructions, by their newer name."""


class UserMessageBody(ToldBody, tag="user", kw_only=True):
    """What the user says and shows."""

    tool_call_id: Annotated[_Nothing, _TOOLS] = None
    content: Text | Annotated[_UserParts, _Parts]


class ToolMessageBody(ToldBody, tag="tool", kw_only=True):
    """What a call of an earlier message gave."""

    tool_call_id: str
    content: _TextContent


class AssistantMessageBody(MessageBody, tag="assistant", kw_only=True):
    """An earlier answer."""

    tool_call_id: Annotated[_Nothing, _TOOLS] = None
    tool_calls: Annotated[
        list[ToolCallBody] | None,
        Bound(max_length="tool_calls"),
        Lax(empty_as_absent),
    ] = None
    reasoning_content: Text | None = None
    reasoning: Text | None = None
    refusal: Text | None = None
    content: Text | Annotated[_AssistantParts, _Parts] | None = None


_AnyMessage = Annotated[
    SystemMessageBody
    | DeveloperMessageBody
    | UserMessageBody
    | AssistantMessageBody
    | ToolMessageBody,
    Unsupported("'function' is not supported. Use role 'tool'.", ("function",)),
]
ROLES = ("system", "developer", "user", "assistant", "tool")


def _to_messages(
    sent: list[Any], path: str, _limits: Limits
) -> tuple[ChatMessage, ...]:
    """Read a conversation; `called` collects the ids of the calls so far."""
    called: set[str] = set()
    return tuple([_to_message(each, called, path, i) for i, each in enumerate(sent)])


def _to_message(sent: Any, called: set[str], path: str, place: int) -> ChatMessage:
    content = sent.content
    parts: tuple[ContentPart, ...] = ()
    if type(content) is str:
        parts = (TextPart(content),)
    elif content is not None:
        parts = _to_parts(content, f"{path}[{place}].content")
    role = sent.__struct_config__.tag
    if role == "assistant":
        return _to_assistants(sent, parts, called, f"{path}[{place}]")
    call_id = sent.tool_call_id if role == "tool" else None
    if call_id is not None and call_id not in called:
        raise faults.invalid(
            f"{path}[{place}].tool_call_id",
            "messages with role 'tool' must be a response to a preceding message "
            "with 'tool_calls'.",
        )
    return ChatMessage(role, parts, sent.name, tool_call_id=call_id)


def _to_assistants(
    sent: AssistantMessageBody,
    parts: tuple[ContentPart, ...],
    called: set[str],
    path: str,
) -> ChatMessage:
    calls = to_calls(sent.tool_calls) if sent.tool_calls else ()
    called.update([call.id for call in calls])
    # Thinking goes by two names; both hold the same text.
    reasoning = sent.reasoning_content or sent.reasoning or ""
    if sent.refusal:
        parts = (*parts, TextPart(sent.refusal))
    if not (parts or calls or reasoning):
        raise faults.missing(f"{path}.content")
    return ChatMessage(
        "assistant", parts, sent.name, tool_calls=calls, reasoning=reasoning
    )


def _to_parts(sent: Any, path: str) -> tuple[ContentPart, ...]:
    return tuple(
        _to_image(part, f"{path}[{i}].image_url")
        if isinstance(part, ImagePartBody)
        else TextPart(part.refusal if isinstance(part, RefusalPartBody) else part.text)
        for i, part in enumerate(sent)
    )


def _to_image(part: ImagePartBody, path: str) -> ImagePart:
    image = part.image_url
    if isinstance(image, str):
        return ImagePart(url=_checked(image, path))
    return ImagePart(_checked(image.url, f"{path}.url"), image.detail or "auto")


def _checked(url: str, path: str) -> str:
    if not url[:_URL_START_CHARS].lower().startswith(_URL_STARTS):
        raise faults.wrong_value(path, url, _URL_STARTS)
    return url


Messages = Annotated[
    tuple[ChatMessage, ...],
    Reads(
        Annotated[
            list[_AnyMessage],
            Bound(min_length=1, max_length="messages"),
            Words("an array of objects"),
        ],
        _to_messages,
    ),
    Said(
        "The conversation to continue. A tool's message answers a call "
        "of an earlier one; `reasoning_content` carries thinking back.",
        absent="a 400",
        takes="array of 1 to {0.messages:,} messages; roles "
        + ", ".join(f"`{role}`" for role in ROLES),
        refuses="audio, files, role `function`, `function_call`",
    ),
]
