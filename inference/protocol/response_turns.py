"""What becomes of a response's items: one conversation."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec

from inference.core.requests import (
    ChatMessage,
    ContentPart,
    ImagePart,
    TextPart,
    ToolCall,
)
from inference.protocol import faults
from inference.protocol.parts import to_parts
from inference.protocol.response_items import (
    CallItemBody,
    CustomCallItemBody,
    FunctionCallItemBody,
    IgnoredItemBody,
    ItemBody,
    ItemReferenceBody,
    MessageItemBody,
    ReasoningItemBody,
    ResultItemBody,
)
from inference.protocol.response_tools import custom_arguments, model_name
from inference.protocol.thinking_signature import hidden_thinking

if TYPE_CHECKING:
    from collections.abc import Iterable

UNREADABLE = "reasoning was left out of the prompt: nobody here can read it"


@dataclass
class _Assistants:
    """A turn of the assistant's that is being put together."""

    reasoning: str = ""
    content: tuple[ContentPart, ...] = ()
    calls: list[ToolCall] = field(default_factory=list)

    @property
    def has_spoken(self) -> bool:
        return bool(self.content or self.calls)

    def message(self) -> ChatMessage:
        parts = self.content
        if not (parts or self.calls or self.reasoning):
            # A turn that was broken off stays one.
            parts = (TextPart(""),)
        return ChatMessage(
            "assistant",
            parts,
            tool_calls=tuple(self.calls),
            reasoning=self.reasoning,
        )


@dataclass
class ItemTurns:
    """Items put together to turns: thinking, a text and calls in a row are one.

    `warnings` say what was left out.
    """

    messages: list[ChatMessage] = field(default_factory=list)
    warnings: dict[str, None] = field(default_factory=dict)
    _called: set[str] = field(default_factory=set)
    _open: _Assistants | None = None

    @classmethod
    def of(
        cls, items: Iterable[tuple[str, ItemBody]], *, instructions: str = ""
    ) -> ItemTurns:
        """Read items, each with the path under which it was sent.

        Raises:
            InvalidRequestError: a result has no call, or the last calls no results.
        """
        turns = cls()
        if instructions:
            turns.messages.append(ChatMessage("system", (TextPart(instructions),)))
        path = "input"
        for path, item in items:
            turns._add(item, path)
        turns._close()
        if turns.messages and (calls := turns.messages[-1].tool_calls):
            why = f"no tool output found for function call '{calls[-1].id}'."
            raise faults.invalid(path, why)
        return turns

    def _add(self, item: ItemBody, path: str) -> None:
        match item:
            case MessageItemBody(role="assistant"):
                if self._open is not None and self._open.has_spoken:
                    self._close()
                content = parts_of(item.content, f"{path}.content", "assistant")
                self._assistants().content = content or (TextPart(""),)
            case MessageItemBody():
                self._close()
                content = parts_of(item.content, f"{path}.content", item.role)
                self.messages.append(ChatMessage(item.role, content))
            case CallItemBody():
                self._assistants().calls.append(_call(item))
                self._called.add(item.call_id)
            case ResultItemBody():
                self._add_result(item, path)
            case ReasoningItemBody():
                self._add_thinking(item)
            case IgnoredItemBody():
                pass
            case ItemReferenceBody():
                why = f"Item with id '{faults.shown(item.id)}' not found."
                raise faults.invalid(path, why)

    def _add_result(self, item: ResultItemBody, path: str) -> None:
        self._close()
        if item.call_id not in self._called:
            shown = faults.shown(item.call_id)
            why = f"no tool call found for function call output '{shown}'."
            raise faults.invalid(f"{path}.call_id", why)
        content = parts_of(item.output, f"{path}.output", "tool")
        self.messages.append(ChatMessage("tool", content, tool_call_id=item.call_id))

    def _add_thinking(self, item: ReasoningItemBody) -> None:
        text = _thinking_of(item)
        if not text:
            if item.encrypted_content:
                self.warnings[UNREADABLE] = None
            return
        if self._open is not None and self._open.has_spoken:
            self._close()
        self._assistants().reasoning += text

    def _assistants(self) -> _Assistants:
        if self._open is None:
            self._open = _Assistants()
        return self._open

    def _close(self) -> None:
        if self._open is not None:
            self.messages.append(self._open.message())
            self._open = None


def parts_of(sent: str | list[Any], path: str, role: str) -> tuple[ContentPart, ...]:
    """Return a content; its images know where they were sent."""
    if isinstance(sent, str):
        return (TextPart(sent),)
    return tuple(
        msgspec.structs.replace(part, path=f"{path}[{at}]")
        if isinstance(part, ImagePart)
        else part
        for at, part in enumerate(to_parts(sent, path, role=role))
    )


def _call(item: CallItemBody) -> ToolCall:
    name = model_name(item.name, item.namespace)
    match item:
        case CustomCallItemBody():
            return ToolCall(item.call_id, name, custom_arguments(item.input))
        case FunctionCallItemBody():
            return ToolCall(item.call_id, name, item.arguments)
    raise AssertionError(item)


def _thinking_of(item: ReasoningItemBody) -> str:
    texts = [part.text for part in item.content or ()]
    hidden = "" if texts else hidden_thinking(item.encrypted_content or "")
    return "".join(texts) or hidden or "\n\n".join(part.text for part in item.summary)
