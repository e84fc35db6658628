"""The output of a response while it is written: which item, and when it ends."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from inference.faces.responses.items import (
    CallOutput,
    CustomCallOutput,
    MessageOutput,
    ReasoningOutput,
)
from inference.protocol.response_tools import ToolShape

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from inference.core.requests import Delta, ToolCallDelta
    from inference.faces.responses.items import EventBody, OutputItem


class ResponseOutput:
    """Puts an answer's deltas into items: thinking, then text, then calls.

    An item ends where another kind of thing, or another call, begins: however an
    answer is cut into deltas, its items are the same.
    """

    def __init__(
        self, key: str, shapes: Mapping[str, ToolShape], *, hides_thinking: bool
    ) -> None:
        self._key = key
        self._shapes = shapes
        self._hides = hides_thinking
        self._items: list[OutputItem] = []
        self._open: OutputItem | None = None

    def bodies(self) -> list[dict[str, Any]]:
        """Return the items as far as they are written."""
        return [item.body for item in self._items]

    def told(self, delta: Delta) -> Iterator[EventBody]:
        """Yield the events that tell of a delta."""
        if delta.reasoning:
            yield from self._think(delta.reasoning)
        if delta.text or delta.logprobs:
            yield from self._say(delta)
        for piece in delta.tool_calls:
            yield from self._call(piece)

    def closed(self, status: str) -> Iterator[EventBody]:
        """Yield the end of the item that is open, if one is."""
        item, self._open = self._open, None
        if item is not None:
            yield from item.closed(status)

    def _think(self, text: str) -> Iterator[EventBody]:
        if not isinstance(self._open, ReasoningOutput):
            item = ReasoningOutput(self._key, len(self._items), encrypts=self._hides)
            yield from self._begin(item)
        assert isinstance(self._open, ReasoningOutput)
        yield self._open.add(text)

    def _say(self, delta: Delta) -> Iterator[EventBody]:
        if not isinstance(self._open, MessageOutput):
            yield from self._begin(MessageOutput(self._key, len(self._items)))
        assert isinstance(self._open, MessageOutput)
        yield self._open.add_with(delta.text, delta.logprobs)

    def _call(self, piece: ToolCallDelta) -> Iterator[EventBody]:
        if piece.id:
            shape = self._shapes.get(piece.name) or ToolShape(piece.name)
            made = CustomCallOutput if shape.is_custom else CallOutput
            item = made(self._key, len(self._items), piece.id, shape)
            yield from self._begin(item)
        if piece.arguments and isinstance(self._open, CallOutput):
            yield from self._open.add(piece.arguments)

    def _begin(self, item: OutputItem) -> Iterator[EventBody]:
        yield from self.closed("completed")
        self._items.append(item)
        self._open = item
        yield from item.opened()
