"""A body becomes a request: where that takes long, away from the event loop."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

if TYPE_CHECKING:
    from inference.core.limits import Limits
    from inference.core.requests import InferenceRequest
    from inference.exchange.call import Call

Options = TypeVar("Options")
Options_co = TypeVar("Options_co", covariant=True)


class BodyReader(Protocol[Options_co]):
    """What a face's `body` offers: validates, and returns how to answer, too."""

    def __call__(
        self, body: dict[str, Any], *, limits: Limits, strict: bool
    ) -> tuple[InferenceRequest, Options_co]:
        """Return the request, or raise an `InvalidRequestError`."""


async def read_with(
    read: BodyReader[Options], call: Call
) -> tuple[InferenceRequest, Options]:
    """Note what a call's body names, and validate it."""
    call.trace.asked(call.body)
    return await read_sized(
        read,
        call.body,
        size_bytes=call.body_bytes,
        limits=call.app.limits,
        strict=call.app.strict_params,
    )


async def read_sized(
    read: BodyReader[Options],
    body: dict[str, Any],
    *,
    size_bytes: int,
    limits: Limits,
    strict: bool,
) -> tuple[InferenceRequest, Options]:
    """Validate a body of that size, in a thread where it could hold up the loop."""
    if size_bytes > limits.parse_in_thread_bytes:
        return await asyncio.to_thread(read, body, limits=limits, strict=strict)
    return read(body, limits=limits, strict=strict)
