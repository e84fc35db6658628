"""The grammar of calls within a conversation, and of a function's name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from msgspec import Meta, Struct

from inference.core.requests import ToolCall
from inference.protocol.declared import NO_BREAK, Bound, Unsupported

if TYPE_CHECKING:
    from collections.abc import Iterable

FunctionName = Annotated[str, Meta(pattern="^[A-Za-z0-9_.-]{1,64}$" + NO_BREAK)]
FunctionType = Annotated[
    Literal["function"], Unsupported("'{}' is not supported.", ("custom",))
]


class FunctionCallBody(Struct):
    """Which function, and its arguments as JSON text."""

    name: FunctionName
    arguments: Annotated[str, Bound(max_length="text_chars")]


class ToolCallBody(Struct, kw_only=True):
    """A call that an assistant made."""

    type: FunctionType
    id: Annotated[str, Bound(min_length=1, max_length="tool_call_id_chars")]
    function: FunctionCallBody
    index: Any = None


def to_calls(sent: Iterable[ToolCallBody]) -> tuple[ToolCall, ...]:
    """Return the calls of an assistant's message."""
    return tuple(
        ToolCall(call.id, call.function.name, call.function.arguments) for call in sent
    )
