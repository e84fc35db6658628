"""The grammar of a response's items: messages, calls, their results, thinking."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Struct

from inference.protocol.calls import FunctionName
from inference.protocol.declared import Bound, ErrorWords, Leaves
from inference.protocol.parts import Parts, Text, TextPartBody

_Id = Annotated[str, Bound(max_length="tool_call_id_chars")]
_CallId = Annotated[str, Bound(min_length=1, max_length="tool_call_id_chars")]
_Parts = Annotated[Parts, Bound(max_length="parts_per_message")]


class ItemBody(Struct, tag_field="type", kw_only=True):
    """What every item may carry."""

    id: _Id | None = None
    status: Any = None


class MessageItemBody(ItemBody, tag="message", kw_only=True):
    """What somebody said."""

    role: Literal["user", "assistant", "system", "developer"]
    content: Text | _Parts
    phase: Any = None


class CallItemBody(ItemBody, kw_only=True):
    """A call that the assistant made; `namespace` is where its tool is from."""

    call_id: _CallId
    name: FunctionName
    namespace: FunctionName | None = None


class FunctionCallItemBody(CallItemBody, tag="function_call", kw_only=True):
    """A call of a function."""

    arguments: Text


class CustomCallItemBody(CallItemBody, tag="custom_tool_call", kw_only=True):
    """A call of a tool that takes a text."""

    input: Text


class ResultItemBody(ItemBody, kw_only=True):
    """What a call of an earlier item gave."""

    call_id: _CallId
    output: Text | _Parts
    name: Any = None
    namespace: Any = None


class FunctionResultItemBody(ResultItemBody, tag="function_call_output"):
    """What a call of a function gave."""


class CustomResultItemBody(ResultItemBody, tag="custom_tool_call_output"):
    """What a call of a custom tool gave."""


class SummaryTextBody(TextPartBody, tag="summary_text"):
    """A summary of thinking."""


class ReasoningTextBody(TextPartBody, tag="reasoning_text"):
    """Thinking."""


class ReasoningItemBody(ItemBody, tag="reasoning", kw_only=True):
    """Thinking that goes back, as text or within a text that only we can read."""

    summary: Annotated[list[SummaryTextBody], Bound(max_length="parts_per_message")]
    content: (
        Annotated[
            list[ReasoningTextBody | TextPartBody],
            Bound(max_length="parts_per_message"),
        ]
        | None
    ) = None
    encrypted_content: Text | None = None


class ItemReferenceBody(ItemBody, tag="item_reference", kw_only=True):
    """An item of a response that was stored."""

    id: _CallId


class IgnoredItemBody(ItemBody, tag="ignored"):
    """An item of a type that means nothing here; it stands in its place."""


AnyItem = (
    MessageItemBody
    | FunctionCallItemBody
    | FunctionResultItemBody
    | CustomCallItemBody
    | CustomResultItemBody
    | ReasoningItemBody
    | ItemReferenceBody
    | IgnoredItemBody
)
ITEM_TYPES = (
    "message",
    "function_call",
    "function_call_output",
    "custom_tool_call",
    "custom_tool_call_output",
    "reasoning",
    "item_reference",
)


def _known_items(value: Any, path: str, ignored: list[str]) -> Any:
    """List items of other types; a message needs not say that it is one."""
    if not isinstance(value, list):
        return value
    known = []
    for at, item in enumerate(value):
        kind = item.get("type") if isinstance(item, dict) else None
        if isinstance(item, dict) and kind is None and "role" in item:
            item = {**item, "type": "message"}
        if isinstance(kind, str) and kind not in ITEM_TYPES:
            ignored.append(f"{path}[{at}].{kind}")
            item = {"type": "ignored"}
        known.append(item)
    return known


SentItems = Annotated[
    Text
    | Annotated[
        list[AnyItem],
        Bound(max_length="messages"),
        ErrorWords("an array of objects"),
    ],
    ErrorWords("a string or an array of objects"),
]
KNOWN_ITEMS = Leaves(_known_items)
