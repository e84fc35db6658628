"""The chunks of a streamed chat completion: owns their grammar and encoding.

What never changes within a stream is encoded once, so that a token costs one
small concatenation.
"""

from __future__ import annotations

import msgspec

from inference.core.requests import Delta, Usage
from inference.protocol.responses import usage_body

_encode = msgspec.json.Encoder().encode
_ROLE = b'{"role":"assistant","content":"","refusal":null},"logprobs":null,"finish_reason":null}'


class ChunkWriter:
    """Writes one generation's deltas as encoded chat.completion.chunk objects.

    Each choice gets its role once, before its text, and its finish reason once,
    in a chunk of its own; `ending` gives what follows the last delta.
    """

    def __init__(
        self, *, completion_id: str, created: int, model: str, include_usage: bool
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
        self._begun: set[int] = set()
        self._usage = Usage()

    def chunks(self, delta: Delta) -> list[bytes]:
        """Return the chunks that tell of `delta`, in order; none if it is bare."""
        opening = self._head + b'%d,"delta":' % delta.index
        written = []
        if delta.index not in self._begun:
            self._begun.add(delta.index)
            written.append(opening + _ROLE + self._tail)
        if delta.text:
            written.append(
                b'%b{"content":%b},"logprobs":null,"finish_reason":null}%b'
                % (opening, _encode(delta.text), self._tail)
            )
        if delta.finish_reason is not None:
            written.append(
                b'%b{},"logprobs":null,"finish_reason":%b}%b'
                % (opening, _encode(delta.finish_reason), self._tail)
            )
        if delta.usage is not None:
            self._usage = delta.usage
        return written

    def ending(self) -> list[bytes]:
        """Return what follows the last delta: the usage, where it was asked for."""
        if not self._include_usage:
            return []
        usage = _encode(usage_body(self._usage))
        return [b'%b],"usage":%b}' % (self._bare_head, usage)]
