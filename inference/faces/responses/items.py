"""The items of a response's output: each with the events that it is told by."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

from inference.faces.responses.text_argument import TextArgument
from inference.protocol.shapes import logprob_bodies
from inference.protocol.thinking_signature import signature_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from inference.core.requests import TokenLogprob
    from inference.protocol.response_tools import ToolShape

EventBody = dict[str, Any]
# Ids of items by their kind, before those of the response and the place.
_PREFIXES = {
    "message": "msg",
    "reasoning": "rs",
    "function_call": "fc",
    "custom_tool_call": "ctc",
}


class OutputItem(ABC):
    """One item of the output while it is written, and once it is."""

    kind = ""

    def __init__(self, key: str, index: int) -> None:
        self.id = f"{_PREFIXES[self.kind]}_{key}_{index}"
        self._index = index
        self._status = "in_progress"

    @property
    def body(self) -> dict[str, Any]:
        """The item as far as it is written."""
        return {
            "type": self.kind,
            "id": self.id,
            "status": self._status,
            **self._fields(),
        }

    def opened(self) -> Iterator[EventBody]:
        """Yield the events that it begins with; nothing of it is written by then."""
        yield self._event("response.output_item.added", item=self.body)

    def closed(self, status: str) -> Iterator[EventBody]:
        """Yield the events that it ends with."""
        yield from self._last_events()
        self._status = status
        yield self._event("response.output_item.done", item=self.body)

    @abstractmethod
    def _fields(self) -> dict[str, Any]:
        """Return what only items of this kind have."""

    @abstractmethod
    def _last_events(self) -> Iterator[EventBody]:
        """Yield the events that stand before the item's own end."""

    def _event(self, kind: str, **fields: Any) -> EventBody:
        return {"type": kind, "output_index": self._index, **fields}

    def _piece(self, kind: str, **fields: Any) -> EventBody:
        return self._event(kind, item_id=self.id, **fields)


class PartItem(OutputItem):
    """An item whose content is one part of text."""

    events = ""

    def __init__(self, key: str, index: int) -> None:
        super().__init__(key, index)
        self._texts: list[str] = []
        self._is_begun = False

    def opened(self) -> Iterator[EventBody]:
        """Yield the item without content, then its content without text."""
        yield from super().opened()
        self._is_begun = True
        yield self._piece(
            "response.content_part.added", content_index=0, part=self._part()
        )

    def add(self, text: str) -> EventBody:
        """Write on; return the event that tells of it."""
        self._texts.append(text)
        return self._piece(f"{self.events}.delta", content_index=0, delta=text)

    def _last_events(self) -> Iterator[EventBody]:
        part = self._part()
        yield self._piece(f"{self.events}.done", content_index=0, **self._said(part))
        yield self._piece("response.content_part.done", content_index=0, part=part)

    def _said(self, part: dict[str, Any]) -> dict[str, Any]:
        return {"text": part["text"]}

    @abstractmethod
    def _part(self) -> dict[str, Any]:
        """Return the part as far as it is written."""

    def _content(self) -> list[dict[str, Any]]:
        return [self._part()] if self._is_begun else []


class ReasoningOutput(PartItem):
    """Thinking; where it `encrypts`, also as a text that only we read back."""

    kind, events = "reasoning", "response.reasoning_text"

    def __init__(self, key: str, index: int, *, encrypts: bool = False) -> None:
        super().__init__(key, index)
        self._encrypts = encrypts

    def _part(self) -> dict[str, Any]:
        return {"type": "reasoning_text", "text": "".join(self._texts)}

    def _fields(self) -> dict[str, Any]:
        fields: dict[str, Any] = {"summary": [], "content": self._content()}
        if self._encrypts:
            fields["encrypted_content"] = signature_of("".join(self._texts))
        return fields


class MessageOutput(PartItem):
    """What the assistant says."""

    kind, events = "message", "response.output_text"

    def __init__(self, key: str, index: int) -> None:
        super().__init__(key, index)
        self._logprobs: list[dict[str, Any]] = []

    def add_with(self, text: str, logprobs: Sequence[TokenLogprob]) -> EventBody:
        """Write on, and tell how likely it was."""
        bodies = logprob_bodies(logprobs)
        self._logprobs += bodies
        return self.add(text) | {"logprobs": bodies}

    def _said(self, part: dict[str, Any]) -> dict[str, Any]:
        return {"text": part["text"], "logprobs": part["logprobs"]}

    def _part(self) -> dict[str, Any]:
        return {
            "type": "output_text",
            "text": "".join(self._texts),
            "annotations": [],
            "logprobs": list(self._logprobs),
        }

    def _fields(self) -> dict[str, Any]:
        return {"role": "assistant", "content": self._content()}


class CallOutput(OutputItem):
    """A call of a function."""

    kind = "function_call"

    def __init__(self, key: str, index: int, call_id: str, shape: ToolShape) -> None:
        super().__init__(key, index)
        self._pieces: list[str] = []
        self._call = {"call_id": call_id, "name": shape.name}
        if shape.namespace is not None:
            self._call["namespace"] = shape.namespace

    def add(self, arguments: str) -> Iterator[EventBody]:
        """Write on; yield the event that tells of it."""
        self._pieces.append(arguments)
        yield self._piece("response.function_call_arguments.delta", delta=arguments)

    def _last_events(self) -> Iterator[EventBody]:
        yield self._piece(
            "response.function_call_arguments.done",
            arguments="".join(self._pieces),
            name=self._call["name"],
        )

    def _fields(self) -> dict[str, Any]:
        return {**self._call, "arguments": "".join(self._pieces)}


class CustomCallOutput(CallOutput):
    """A call of a tool that takes a text."""

    kind = "custom_tool_call"

    def __init__(self, key: str, index: int, call_id: str, shape: ToolShape) -> None:
        super().__init__(key, index, call_id, shape)
        self._argument = TextArgument()

    def add(self, arguments: str) -> Iterator[EventBody]:
        """Read on in the arguments; yield what of the text became readable."""
        yield from self._told(self._argument.feed(arguments))

    def _last_events(self) -> Iterator[EventBody]:
        yield from self._told(self._argument.flush())
        yield self._piece(
            "response.custom_tool_call_input.done", input=self._argument.text
        )

    def _told(self, text: str) -> Iterator[EventBody]:
        if text:
            yield self._piece("response.custom_tool_call_input.delta", delta=text)

    def _fields(self) -> dict[str, Any]:
        return {**self._call, "input": self._argument.text}
