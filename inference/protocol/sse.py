"""Server-sent events: owns how a JSON object becomes bytes of a stream."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from inference.protocol.errors import error_object

if TYPE_CHECKING:
    from collections.abc import Iterable

    from inference.core.errors import InferenceError

DONE = b"data: [DONE]\n\n"
KEEP_ALIVE = b": keep-alive\n\n"


def events(objects: Iterable[bytes]) -> bytes:
    """Frame encoded JSON objects as events, ready for one write."""
    return b"".join([b"data: %b\n\n" % encoded for encoded in objects])


def error_event(error: InferenceError) -> bytes:
    """The last event of a stream that failed; no [DONE] follows it."""
    return events([msgspec.json.encode({"error": error_object(error)})])
