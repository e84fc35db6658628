"""The events of a response told again, from any of them on."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

import msgspec

from inference.core.errors import InferenceError, InvalidRequestError
from inference.protocol.sse import COMMENT, DONE, Event, error_event
from inference.runtime.background import EVENTS_AT_ONCE

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence

    from inference.core.stored import StoredResponse
    from inference.runtime.background import EventLog, Told

_encode = msgspec.json.Encoder().encode
# What ends the stream of a response that has another status.
_FAILED = "response.failed"
_ENDED = ("completed", "incomplete", "failed")


class _Numbered(msgspec.Struct):
    """An event, as far as its place among the others goes."""

    sequence_number: int


_decoder = msgspec.json.Decoder(_Numbered)


def silence() -> bytes:
    """Return what is told of silence: no event, for events are everybody's."""
    return COMMENT


async def followed(
    log: EventLog, after: int, *, silence_s: float
) -> AsyncGenerator[Sequence[Event], None]:
    """Yield what is said in a response under way, to its end."""
    try:
        async with aclosing(log.follow(silence_s=silence_s)) as told:
            async for events in told:
                later = [Event(*event) for event in events if _is_later(event, after)]
                if later or not events:
                    yield later
    except InferenceError as error:
        yield (error_event(error),)


async def retold(
    kept: StoredResponse, after: int
) -> AsyncGenerator[Sequence[Event], None]:
    """Yield the events of a response that has ended; at least its end.

    Raises:
        InvalidRequestError: it is under way on another server.
    """
    if kept.is_under_way:
        raise InvalidRequestError(
            f"Response '{kept.id}' is under way on another server and can be followed "
            "only there.",
            param="stream",
        )
    bodies = kept.events if _is_whole(kept) else (_end_of(kept, after),)
    later = [body for body in bodies if body["sequence_number"] > after]
    for begin in range(0, len(later), EVENTS_AT_ONCE):
        yield [_event(body) for body in later[begin : begin + EVENTS_AT_ONCE]]
        await asyncio.sleep(0)
    yield (DONE,)


def _event(body: dict[str, Any]) -> Event:
    return Event(_encode(body), body["type"].encode())


def _is_whole(kept: StoredResponse) -> bool:
    """Whether the events go on to the end: not where a server ended meanwhile."""
    return bool(kept.events) and kept.events[-1]["type"].partition(".")[2] in _ENDED


def _end_of(kept: StoredResponse, after: int) -> dict[str, Any]:
    """Return the last event of a response of which no events are kept."""
    status = kept.body["status"]
    kind = f"response.{status}" if status in _ENDED else _FAILED
    return {"type": kind, "sequence_number": after + 1, "response": kept.body}


def _is_later(event: Told, after: int) -> bool:
    if event == DONE or after < 0:
        return True
    return _decoder.decode(event[0]).sequence_number > after
