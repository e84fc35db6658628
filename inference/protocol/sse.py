"""Server-sent events: owns how the events of a stream become its bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import msgspec

from inference.core.error_bodies import error_object

if TYPE_CHECKING:
    from collections.abc import Iterable

    from inference.core.errors import InferenceError

COMMENT = b": keep-alive\n\n"


class Event(NamedTuple):
    """One event: encoded data, usually a JSON object, and a name where it has one."""

    data: bytes
    name: bytes = b""


# What OpenAI's streams end with.
DONE = Event(b"[DONE]")


def error_event(error: InferenceError) -> Event:
    """Return what a stream of OpenAI's that fails ends with; no `DONE` follows it."""
    return Event(msgspec.json.encode({"error": error_object(error)}))


def framed(events: Iterable[Event]) -> bytes:
    """Return events as bytes, ready for one write."""
    return b"".join(
        [
            b"event: %b\ndata: %b\n\n" % (event.name, event.data)
            if event.name
            else b"data: %b\n\n" % event.data
            for event in events
        ]
    )
