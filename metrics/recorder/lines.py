"""What stands in a spool file: one JSON object a line, told apart by `line`.

The first line of every file says whose it is. Encoding never raises: what JSON
cannot hold (huge integers, half characters) is left out of the line, not the line.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from inference.core.events import (
    RequestBodies,
    RequestRecord,
    ServerEvent,
    ServerSample,
)

if TYPE_CHECKING:
    from inference.core.trace import ServerIdentity

S = TypeVar("S", bound=msgspec.Struct)
_NOT_ENCODABLE = (msgspec.MsgspecError, ValueError, TypeError, OverflowError)


class RunLine(msgspec.Struct, frozen=True, tag_field="line", tag="run"):
    """Which server run a file belongs to, and its place among that run's files."""

    node: str
    boot_id: str
    part: int


class RequestLine(msgspec.Struct, frozen=True, tag_field="line", tag="request"):
    """A request began or ended."""

    record: RequestRecord


class EventLine(msgspec.Struct, frozen=True, tag_field="line", tag="event"):
    """Something happened to the server or a model."""

    event: ServerEvent


class SampleLine(msgspec.Struct, frozen=True, tag_field="line", tag="sample"):
    """A minute of the server."""

    sample: ServerSample


class BodyLine(msgspec.Struct, frozen=True, tag_field="line", tag="body"):
    """What was asked and answered."""

    bodies: RequestBodies


Line = RunLine | RequestLine | EventLine | SampleLine | BodyLine

_encoder = msgspec.json.Encoder(enc_hook=str)
_decoder: msgspec.json.Decoder[Line] = msgspec.json.Decoder(Line)


class UnreadableLineError(ValueError):
    """A spool line is not one that this version writes."""


def encode_run(identity: ServerIdentity, part: int) -> bytes:
    """Return the first line of a file."""
    line = RunLine(node=identity.node, boot_id=identity.boot_id, part=part)
    return _encoder.encode(line) + b"\n"


def encode_record(record: RequestRecord) -> bytes:
    """Return the line of a request's start or end."""
    try:
        return _encoder.encode(RequestLine(record=record)) + b"\n"
    except (*_NOT_ENCODABLE, RecursionError):
        return _encoder.encode(RequestLine(record=_encodable(record))) + b"\n"


def encode_event(event: ServerEvent) -> bytes:
    """Return the line of a server event."""
    try:
        return _encoder.encode(EventLine(event=event)) + b"\n"
    except (*_NOT_ENCODABLE, RecursionError):
        return _encoder.encode(EventLine(event=_encodable(event))) + b"\n"


def encode_sample(sample: ServerSample) -> bytes:
    """Return the line of a minute."""
    return _encoder.encode(SampleLine(sample=_encodable(sample))) + b"\n"


def encode_bodies(bodies: RequestBodies) -> bytes:
    """Return the line of what was asked and answered."""
    try:
        return _encoder.encode(BodyLine(bodies=bodies)) + b"\n"
    except (*_NOT_ENCODABLE, RecursionError):
        return _encoder.encode(BodyLine(bodies=_encodable(bodies))) + b"\n"


def decode_line(line: bytes) -> Line:
    """Return what a line says.

    Raises:
        UnreadableLineError: it is damaged, or from a newer version.
    """
    try:
        return _decoder.decode(line)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise UnreadableLineError(str(error)) from error


def _encodable(value: S) -> S:
    """Return `value` with each field that JSON cannot hold mended or emptied."""
    mended = {
        name: _mended(given) for name, given in msgspec.structs.asdict(value).items()
    }
    return msgspec.structs.replace(value, **mended)


def _mended(value: Any) -> Any:
    try:
        _encoder.encode(value)
    except (*_NOT_ENCODABLE, RecursionError) as error:
        if isinstance(value, str):
            return value.encode(errors="replace").decode()
        if isinstance(value, tuple):
            return tuple(_mended(item) for item in value)
        return (
            {"not_recorded": type(error).__name__} if isinstance(value, dict) else None
        )
    return value
