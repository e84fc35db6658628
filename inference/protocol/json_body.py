"""Bytes in, one bounded JSON object out: owns what counts as a readable body.

Stricter than `json.loads`: no NaN or Infinity, no number beyond a float, no
unpaired surrogate (it could not be written back as UTF-8), strict UTF-8.

The decoder holds the interpreter from its first byte to its last, in a thread too,
and the loop stands still with it: what it is given is weighed first.
"""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING, Any

import msgspec

from inference.core.errors import BodyTooLargeError, InvalidRequestError
from inference.protocol import faults
from inference.protocol.json_weight import check_weight

if TYPE_CHECKING:
    from inference.core.limits import Limits

_BOM = b"\xef\xbb\xbf"


def too_large(limit_bytes: int) -> BodyTooLargeError:
    """The refusal of a body with more than `limit_bytes`."""
    return BodyTooLargeError(f"The request body is larger than {limit_bytes} bytes.")


async def read_object(raw: bytes, *, limits: Limits) -> dict[str, Any]:
    """Parse `raw`, in a thread where it is large enough to hold up the loop.

    Raises:
        InferenceError: too many bytes, not JSON, nested too deeply, no object.
    """
    if len(raw) > limits.body_bytes:
        raise too_large(limits.body_bytes)
    if len(raw) > limits.parse_in_thread_bytes:
        return await asyncio.to_thread(_parse_large, raw, limits)
    return parse_object(raw, depth=limits.json_depth)


def _parse_large(raw: bytes, limits: Limits) -> dict[str, Any]:
    check_weight(raw, limits=limits)
    return parse_object(raw, depth=limits.json_depth)


def parse_object(raw: bytes, *, depth: int) -> dict[str, Any]:
    """Parse one JSON object with at most `depth` levels."""
    if not raw.strip():
        raise InvalidRequestError(
            "The request body is empty; expected a JSON object.", code="invalid_json"
        )
    value = _decode(raw.removeprefix(_BOM))
    if not isinstance(value, dict):
        raise InvalidRequestError(
            f"Expected a JSON object as the body, but got {faults.type_name(value)}.",
            code="invalid_type",
        )
    if raw.count(b"{") + raw.count(b"[") > depth and _depth_exceeds(value, depth):
        raise _too_deep()
    return value


def _decode(raw: bytes) -> Any:
    try:
        return _DECODER.decode(raw)
    except RecursionError:
        raise _too_deep() from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidRequestError(
            "We could not parse the JSON body of your request. "
            f"(HINT: the body must be one valid UTF-8 JSON object. {error})",
            code="invalid_json",
        ) from None


def _to_float(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise ValueError("Number out of range")
    return value


# msgspec takes up to 15 µs for a float, and gives way to nobody meanwhile.
_DECODER = msgspec.json.Decoder(float_hook=_to_float)


def _depth_exceeds(value: Any, depth: int) -> bool:
    """Walk the containers level by level; no recursion, so no depth can hurt."""
    level = [value]
    for _ in range(depth):
        level = [
            child
            for parent in level
            for child in (parent.values() if isinstance(parent, dict) else parent)
            if isinstance(child, dict | list)
        ]
        if not level:
            return False
    return True


def _too_deep() -> InvalidRequestError:
    return InvalidRequestError(
        "The JSON body of your request is nested too deeply.", code="invalid_json"
    )
