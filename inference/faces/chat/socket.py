"""A chat completion on a WebSocket: chunks as messages, and messages of the end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from inference.core.described import ignored_names
from inference.faces.chat.answer import ChatWriter
from inference.protocol.errors import error_object
from inference.protocol.sse import Event

if TYPE_CHECKING:
    from collections.abc import Sequence

    from inference.core.errors import InferenceError
    from inference.core.trace import RequestTrace
    from inference.protocol.stream_options import StreamOptions


class SocketChatWriter(ChatWriter):
    """Writes the chunks of one answer, then what became of its request."""

    def __init__(
        self,
        trace: RequestTrace,
        created: int,
        model: str,
        options: StreamOptions,
        *,
        server: str,
    ) -> None:
        super().__init__(trace.request_id, created, model, options, server=server)
        self._trace = trace

    def ending(self) -> Sequence[Event]:
        """Return the usage, where it was asked for, and that all is done."""
        return (*self.usage(), _event(end_message("done", self._trace)))

    def failed(self, error: InferenceError) -> Sequence[Event]:
        """Return the error."""
        return (_event(error_message(error, self._trace)),)


def end_message(kind: str, trace: RequestTrace) -> dict[str, Any]:
    """Return the last message of a request that was answered or taken back."""
    end: dict[str, Any] = {"type": kind, "request_id": trace.request_id}
    ignored = ignored_names(trace.record.params)
    if ignored and kind == "done":
        end["ignored_params"] = ignored
    if trace.schema_check and kind == "done":
        end["schema_check"] = trace.schema_check
    return end


def error_message(error: InferenceError, trace: RequestTrace) -> dict[str, Any]:
    """Return the last message of a request that failed."""
    return {
        "type": "error",
        "error": error_object(error),
        "request_id": trace.request_id,
    }


def _event(message: dict[str, Any]) -> Event:
    return Event(msgspec.json.encode(message))
