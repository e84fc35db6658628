"""A message on the wire, whole and as its events: owns its shape and encoding."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from inference.core.outcomes import FinishReason
from inference.core.requests import Usage
from inference.exchange.writers import Face
from inference.protocol.errors import error_object
from inference.protocol.sse import Event, framed
from inference.protocol.thinking_signature import signature_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from inference.core.collected import CollectedAnswer, CollectedChoice
    from inference.core.errors import InferenceError
    from inference.core.requests import Delta, ToolCallDelta

_encode = msgspec.json.Encoder().encode

_ERROR_TYPES = {
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    503: "overloaded_error",
    504: "timeout_error",
}
_STOP_REASONS = {
    FinishReason.STOP: "end_turn",
    FinishReason.LENGTH: "max_tokens",
    FinishReason.TOOL_CALLS: "tool_use",
}


def _event(kind: str, **fields: Any) -> Event:
    return Event(_encode({"type": kind, **fields}), kind.encode())


_PING = framed((_event("ping"),))


def error_body(error: InferenceError, request_id: str) -> bytes:
    """The body of an error: Anthropic's, with our code and the parameter at fault."""
    status = error.http_status
    usual = "invalid_request_error" if status < 500 else "api_error"
    kind = _ERROR_TYPES.get(status, usual)
    told = {**error_object(error), "type": kind}
    return _encode({"type": "error", "error": told, "request_id": request_id})


ANTHROPIC = Face(error_body, id_headers=("x-request-id", "request-id"))


class MessageWriter:
    """Writes one request's answer as a message, or as its events.

    Thinking stands before text, text before calls. A block ends where another kind of
    thing, or another call, begins: however an answer is cut into deltas, its blocks
    are the same. Thinking that is hidden goes into its signature.
    """

    def __init__(
        self, request_id: str, model: str, *, hides_thinking: bool = False
    ) -> None:
        self._request_id = request_id
        self._model = model
        self._hides = hides_thinking
        self._usage = Usage()
        self._stop: tuple[str | None, str | None] = (None, None)
        self._blocks = 0
        self._open = ""
        self._hidden: list[str] = []
        self._begun = False

    def keep_alive(self) -> bytes:
        """Return a ping."""
        return _PING

    def whole(self, answer: CollectedAnswer) -> bytes:
        """Return the body of the whole answer."""
        ((_, choice),) = answer.choices
        stop = _stop_of(choice.finish_reason, choice.stop)
        return _encode(
            self._message(list(self._content(choice)), stop, usage_of(answer.usage))
        )

    def events(self, delta: Delta) -> list[Event]:
        """Return the events that tell of `delta`, in order; none if it is bare."""
        self._usage = delta.usage or self._usage
        return [*self._beginning(), *self._told(delta)]

    def ending(self) -> Sequence[Event]:
        """Return the end of the last block, why it ended, and the usage."""
        reason, sequence = self._stop
        return (
            *self._closed(),
            _event(
                "message_delta",
                delta={"stop_reason": reason, "stop_sequence": sequence},
                usage=usage_of(self._usage),
            ),
            _event("message_stop"),
        )

    def failed(self, error: InferenceError) -> Sequence[Event]:
        """Return the error; nothing follows it."""
        return (Event(error_body(error, self._request_id), b"error"),)

    # --- a message

    def _message(
        self,
        content: list[dict[str, Any]],
        stop: tuple[str | None, str | None],
        usage: dict[str, int],
    ) -> dict[str, Any]:
        reason, sequence = stop
        return {
            "id": f"msg_{self._request_id.removeprefix('req-')}",
            "type": "message",
            "role": "assistant",
            "model": self._model,
            "content": content,
            "stop_reason": reason,
            "stop_sequence": sequence,
            "usage": usage,
        }

    def _content(self, choice: CollectedChoice) -> Iterator[dict[str, Any]]:
        if choice.reasoning:
            yield {
                "type": "thinking",
                "thinking": "" if self._hides else choice.reasoning,
                "signature": signature_of(choice.reasoning if self._hides else ""),
            }
        if choice.text:
            yield {"type": "text", "text": choice.text}
        for call in choice.calls:
            yield _call(call.id, call.name) | {"input": _input(call.arguments)}

    # --- its events

    def _beginning(self) -> Iterator[Event]:
        if not self._begun:
            self._begun = True
            usage = usage_of(self._usage) | {"output_tokens": 0}
            yield _event(
                "message_start", message=self._message([], (None, None), usage)
            )

    def _told(self, delta: Delta) -> Iterator[Event]:
        if delta.reasoning:
            yield from self._opened("thinking", {"thinking": "", "signature": ""})
            if self._hides:
                self._hidden.append(delta.reasoning)
            else:
                yield self._piece("thinking_delta", thinking=delta.reasoning)
        if delta.text:
            yield from self._opened("text", {"text": ""})
            yield self._piece("text_delta", text=delta.text)
        for call in delta.tool_calls:
            yield from self._called(call)
        if delta.finish_reason is not None:
            self._stop = _stop_of(delta.finish_reason, delta.stop)

    def _called(self, piece: ToolCallDelta) -> Iterator[Event]:
        if piece.id:
            yield from self._closed()
            yield from self._opened("tool_use", _call(piece.id, piece.name))
        if piece.arguments:
            yield self._piece("input_json_delta", partial_json=piece.arguments)

    def _opened(self, kind: str, start: dict[str, Any]) -> Iterator[Event]:
        if self._open == kind:
            return
        yield from self._closed()
        self._open = kind
        block = {**start, "type": kind}
        yield _event("content_block_start", index=self._blocks, content_block=block)

    def _closed(self) -> Iterator[Event]:
        if not self._open:
            return
        if self._open == "thinking":
            hidden, self._hidden = "".join(self._hidden), []
            yield self._piece("signature_delta", signature=signature_of(hidden))
        yield _event("content_block_stop", index=self._blocks)
        self._open = ""
        self._blocks += 1

    def _piece(self, kind: str, **fields: str) -> Event:
        return _event(
            "content_block_delta", index=self._blocks, delta={"type": kind, **fields}
        )


def usage_of(usage: Usage) -> dict[str, int]:
    """Token counts in Anthropic's shape: what was kept is no input."""
    return {
        "input_tokens": usage.prompt_tokens - usage.cached_tokens,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": usage.cached_tokens,
        "output_tokens": usage.completion_tokens,
    }


def _stop_of(finish: str | None, stop: str) -> tuple[str | None, str | None]:
    if finish is None:
        return None, None
    reason = FinishReason(finish)
    if reason is FinishReason.STOP and stop:
        return "stop_sequence", stop
    return _STOP_REASONS[reason], None


def _call(call_id: str, name: str) -> dict[str, Any]:
    return {"type": "tool_use", "id": call_id, "name": name, "input": {}}


def _input(arguments: str) -> dict[str, Any]:
    """Return a call's arguments; none where the answer was cut within them."""
    try:
        return msgspec.json.decode(arguments, type=dict[str, Any])
    except msgspec.DecodeError:
        return {}
