"""The grammar of Anthropic's messages: turns and their blocks, as they are sent."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import Meta, Struct

from inference.protocol.declared import NO_BREAK, Bound, Unsupported
from inference.protocol.parts import Text

# Long enough for a tool of a server of tools, whose name stands before its own.
ToolName = Annotated[str, Meta(pattern="^[A-Za-z0-9_.-]{1,128}$" + NO_BREAK)]
_CallId = Annotated[str, Bound(min_length=1, max_length="tool_call_id_chars")]
_Url = Annotated[str, Bound(max_length="url_chars")]
_Many = Bound(max_length="parts_per_message")
_UNREAD = Unsupported(
    "of type '{}' is not supported.",
    (
        "document",
        "search_result",
        "server_tool_use",
        "web_search_tool_result",
        "web_fetch_tool_result",
        "code_execution_tool_result",
        "mcp_tool_use",
        "mcp_tool_result",
        "container_upload",
    ),
    whole=True,
)


class Base64SourceBody(Struct, tag_field="type", tag="base64"):
    """An image's bytes."""

    media_type: Annotated[str, Bound(max_length=64)]
    data: _Url


class URLSourceBody(Struct, tag_field="type", tag="url"):
    """Where an image is."""

    url: _Url


_Source = Annotated[
    Base64SourceBody | URLSourceBody,
    Unsupported("of type '{}' is not supported.", ("file",), whole=True),
]


class BlockBody(Struct, tag_field="type", kw_only=True):
    """What every block may carry: what is kept is kept by itself here."""

    cache_control: Any = None


class TextBlockBody(BlockBody, tag="text", kw_only=True):
    """Text."""

    text: Text
    citations: Any = None


class ImageBlockBody(BlockBody, tag="image", kw_only=True):
    """An image."""

    source: _Source


class ToolReferenceBlockBody(BlockBody, tag="tool_reference", kw_only=True):
    """A tool that a search found; the model is told of all tools from the start."""

    tool_name: ToolName


_ResultBlock = TextBlockBody | ImageBlockBody | ToolReferenceBlockBody


class ToolResultBlockBody(BlockBody, tag="tool_result", kw_only=True):
    """What a call of an earlier message gave."""

    tool_use_id: _CallId
    content: Text | Annotated[list[Annotated[_ResultBlock, _UNREAD]], _Many] | None = (
        None
    )
    is_error: bool | None = None


class ThinkingBlockBody(BlockBody, tag="thinking", kw_only=True):
    """Thinking that goes back, as text or within its signature."""

    thinking: Text
    signature: Text | None = None


class RedactedThinkingBlockBody(BlockBody, tag="redacted_thinking", kw_only=True):
    """Thinking that only its author can read."""

    data: Text


class ToolUseBlockBody(BlockBody, tag="tool_use", kw_only=True):
    """A call that the assistant made."""

    id: _CallId
    name: ToolName
    input: dict[str, Any]
    caller: Any = None


SystemBlocks = Annotated[list[Annotated[TextBlockBody, _UNREAD]], _Many]
_UserBlock = TextBlockBody | ImageBlockBody | ToolResultBlockBody
_AssistantBlock = (
    TextBlockBody | ThinkingBlockBody | RedactedThinkingBlockBody | ToolUseBlockBody
)


class SystemTurnBody(Struct, tag_field="role", tag="system"):
    """Instructions in the middle of a conversation."""

    content: Text | SystemBlocks


class UserTurnBody(Struct, tag_field="role", tag="user"):
    """What the user says and shows, and what the calls before gave."""

    content: Text | Annotated[list[Annotated[_UserBlock, _UNREAD]], _Many]


class AssistantTurnBody(Struct, tag_field="role", tag="assistant"):
    """An earlier answer."""

    content: Text | Annotated[list[Annotated[_AssistantBlock, _UNREAD]], _Many]
