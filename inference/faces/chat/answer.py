"""A chat completion on the wire, whole and in chunks: owns its shape and encoding.

What never changes within a stream is encoded once, so that a token costs one
small concatenation.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from inference.core.requests import Usage
from inference.protocol.shapes import logprobs_body, reasoning_body, usage_body
from inference.protocol.sse import COMMENT, DONE, Event, error_event

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from inference.core.collected import CollectedAnswer, CollectedChoice
    from inference.core.errors import InferenceError
    from inference.core.requests import Delta, ToolCallDelta
    from inference.protocol.stream_options import StreamOptions

_encode = msgspec.json.Encoder().encode
_NO_END = b',"logprobs":null,"finish_reason":null}'
_ROLE = b'{"role":"assistant","content":"","refusal":null}' + _NO_END


class ChatWriter:
    """Writes one request's answer as a chat.completion, or as its chunks.

    Each choice gets its role once, before all else, and its finish reason once, in a
    chunk of its own, and so has each piece of a call. With continuous usage every
    chunk carries the latest.
    """

    def __init__(
        self,
        request_id: str,
        created: int,
        model: str,
        options: StreamOptions,
        *,
        server: str = "mlx-server",
    ) -> None:
        self._stamp = {
            "id": f"chatcmpl-{request_id.removeprefix('req-')}",
            "created": created,
            "model": model,
            # Which server made it, and of which model: what a seed depends on.
            "system_fingerprint": f"{server}/{model}",
        }
        head = _encode({"object": "chat.completion.chunk", **self._stamp})
        self._bare_head = head[:-1] + b',"choices":['
        self._head = self._bare_head + b'{"index":'
        self._tail = b'],"usage":null}' if options.include_usage else b"]}"
        self._options = options
        self._begun: set[int] = set()
        self._usage = Usage()

    def keep_alive(self) -> bytes:
        """Return a comment."""
        return COMMENT

    def whole(self, answer: CollectedAnswer) -> bytes:
        """Return the body of the whole answer."""
        return _encode(
            {
                "object": "chat.completion",
                **self._stamp,
                "choices": [_choice(*numbered) for numbered in answer.choices],
                "usage": usage_body(answer.usage),
            }
        )

    def events(self, delta: Delta) -> list[Event]:
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
        return [Event(chunk) for chunk in written]

    def ending(self) -> Sequence[Event]:
        """Return the usage, where it was asked for, and the end."""
        return (*self.usage(), DONE)

    def usage(self) -> Sequence[Event]:
        """Return the chunk that tells of the whole usage, where it was asked for."""
        if not self._options.include_usage:
            return ()
        usage = _encode(usage_body(self._usage))
        return (Event(b'%b],"usage":%b}' % (self._bare_head, usage)),)

    def failed(self, error: InferenceError) -> Sequence[Event]:
        """Return the error; no `[DONE]` follows it."""
        return (error_event(error),)

    def _note_usage(self, usage: Usage) -> None:
        self._usage = usage
        if self._options.continuous_usage:
            self._tail = b'],"usage":%b}' % _encode(usage_body(usage))

    def _weighed_text(self, opening: bytes, delta: Delta) -> bytes:
        return b'%b{"content":%b},"logprobs":%b,"finish_reason":null}%b' % (
            opening,
            _encode(delta.text),
            _encode(logprobs_body(delta.logprobs)),
            self._tail,
        )


def _choice(index: int, choice: CollectedChoice) -> dict[str, Any]:
    return {
        "index": index,
        "message": _message(choice),
        "logprobs": logprobs_body(choice.logprobs) if choice.logprobs else None,
        "finish_reason": choice.finish_reason,
    }


def _message(choice: CollectedChoice) -> dict[str, Any]:
    text, reasoning, calls = choice.text, choice.reasoning, choice.calls
    message: dict[str, Any] = {
        "role": "assistant",
        "content": None if calls and not text else text,
        "refusal": None,
    }
    if reasoning:
        message |= reasoning_body(reasoning)
    if calls:
        message["tool_calls"] = [
            {
                "id": call.id,
                "type": "function",
                "function": {"name": call.name, "arguments": call.arguments},
            }
            for call in calls
        ]
    return message


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
