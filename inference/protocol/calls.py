"""The grammar of calls within a conversation, and of a function's name."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any, Literal
from zlib import crc32

from msgspec import Struct

from inference.core.requests import ToolCall
from inference.protocol.declared import Bound, Unsupported

if TYPE_CHECKING:
    from collections.abc import Iterable

# What dialects write unquoted, and their readers know to be a name.
_PLAIN_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_PLAIN_CHARS = 55

FunctionName = Annotated[str, Bound(min_length=1, max_length="tool_name_chars")]
FunctionType = Annotated[
    Literal["function"], Unsupported("'{}' is not supported.", ("custom",))
]


class FunctionCallBody(Struct):
    """Which function, and its arguments as JSON text."""

    name: Annotated[str, Bound(max_length="tool_name_chars")]
    arguments: Annotated[str, Bound(max_length="text_chars")]


class ToolCallBody(Struct, kw_only=True):
    """A call that an assistant made."""

    type: FunctionType
    id: Annotated[str, Bound(max_length="tool_call_id_chars")]
    function: FunctionCallBody
    index: Any = None


def plain_name(name: str) -> str:
    """Return the name by which a model knows a function: the same, where it can be.

    Another gets one of its own, the same in every request.
    """
    if _PLAIN_NAME.fullmatch(name):
        return name
    plain = re.sub(r"[^A-Za-z0-9_.-]", "_", name)[:_PLAIN_CHARS]
    return f"{plain}_{crc32(name.encode(errors='surrogatepass')):08x}"


def to_calls(sent: Iterable[ToolCallBody]) -> tuple[ToolCall, ...]:
    """Return the calls of an assistant's message."""
    return tuple(to_call(call.id, call.function) for call in sent)


def to_call(call_id: str, sent: FunctionCallBody) -> ToolCall:
    """Return one call."""
    return ToolCall(call_id, plain_name(sent.name), sent.arguments)
