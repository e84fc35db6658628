"""The chunks of a streamed chat completion: owns their grammar and encoding.

What never changes within a stream is encoded once, so that a token costs one
small concatenation.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from inference.core.requests import Delta, Usage
from inference.protocol.responses import logprobs_body, reasoning_body, usage_body

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inference.core.requests import ToolCallDelta

_encode = msgspec.json.Encoder().encode
_NO_END = b',"logprobs":null,"finish_reason":null}'
_ROLE = b'{"role":"assistant","content":"","refusal":null}' + _NO_END


class ChunkWriter:
    """Writes one generation's deltas as encoded chat.completion.chunk objects.

    Each choice gets its role once, before all else, and its finish reason once,
    in a chunk of its own, and so has each piece of a call; `ending` gives what follows the last delta. With
    `continuous_usage` every chunk carries the latest usage.
    """

    def __init__(
        self,
        *,
        completion_id: str,
        created: int,
        model: str,
        include_usage: bool,
        continuous_usage: bool = False,
    ) -> None:
        head = {
            "id": completion_id,
            "object": "chat.completion.chunk",
            "created": created,
            "model": model,
            "system_fingerprint": None,
        }
        self._bare_head = _encode(head)[:-1] + b',"choices":['
        self._head = self._bare_head + b'{"index":'
        self._tail = b'],"usage":null}' if include_usage else b"]}"
        self._include_usage = include_usage
        self._continuous_usage = continuous_usage
        self._begun: set[int] = set()
        self._usage = Usage()

    def chunks(self, delta: Delta) -> list[bytes]:
        """Return the chunks that tell of `delta`, in order; none if it is bare."""
        if delta.usage is not None:
            self._note_usage(delta.usage)
        opening = self._head + b'%d,"delta":' % delta.index
        written = []
        if delta.index not in self._begun:
            self._begun.add(delta.index)
            written.append(opening + _ROLE + self._tail)
        if delta.reasoning:
            thought = _encode(reasoning_body(delta.reasoning))
            written.append(opening + thought + _NO_END + self._tail)
        if delta.logprobs:
            written.append(self._weighed_text(opening, delta))
        elif delta.text:
            written.append(
                b'%b{"content":%b},"logprobs":null,"finish_reason":null}%b'
                % (opening, _encode(delta.text), self._tail)
            )
        for piece in delta.tool_calls:
            written.extend(
                opening + _encode({"tool_calls": [part]}) + _NO_END + self._tail
                for part in _call_parts(piece)
            )
        if delta.finish_reason is not None:
            written.append(
                b'%b{},"logprobs":null,"finish_reason":%b}%b'
                % (opening, _encode(delta.finish_reason), self._tail)
            )
        return written

    def ending(self) -> list[bytes]:
        """Return what follows the last delta: the usage, where it was asked for."""
        if not self._include_usage:
            return []
        usage = _encode(usage_body(self._usage))
        return [b'%b],"usage":%b}' % (self._bare_head, usage)]

    def _note_usage(self, usage: Usage) -> None:
        self._usage = usage
        if self._continuous_usage:
            self._tail = b'],"usage":%b}' % _encode(usage_body(usage))

    def _weighed_text(self, opening: bytes, delta: Delta) -> bytes:
        return b'%b{"content":%b},"logprobs":%b,"finish_reason":null}%b' % (
            opening,
            _encode(delta.text),
            _encode(logprobs_body(delta.logprobs)),
            self._tail,
        )


def _call_parts(piece: ToolCallDelta) -> Iterator[dict[str, Any]]:
    """Yield a piece of a call as OpenAI tells it: who is called, then with what.

    Each has a chunk of its own: OpenAI's stream helper takes one piece of a call
    from a chunk and stumbles over a second.
    """
    if piece.id:
        yield {
            "index": piece.index,
            "id": piece.id,
            "type": "function",
            "function": {"name": piece.name, "arguments": ""},
        }
    if piece.arguments:
        yield {"index": piece.index, "function": {"arguments": piece.arguments}}
