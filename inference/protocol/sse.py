"""Server-sent events: owns how the events of a stream become its bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

COMMENT = b": keep-alive\n\n"


class Event(NamedTuple):
    """One event: encoded data, usually a JSON object, and a name where it has one."""

    data: bytes
    name: bytes = b""


# What OpenAI's streams end with.
DONE = Event(b"[DONE]")


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
