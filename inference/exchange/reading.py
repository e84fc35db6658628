"""A body becomes a request: where that takes long, away from the event loop."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

if TYPE_CHECKING:
    from inference.core.limits import Limits
    from inference.exchange.call import Call

Read = TypeVar("Read")
Read_co = TypeVar("Read_co", covariant=True)


class BodyReader(Protocol[Read_co]):
    """What a face's `body` offers: validates, and returns how to answer, too."""

    def __call__(
        self, body: dict[str, Any], *, limits: Limits, strict: bool
    ) -> Read_co:
        """Return the request, or raise an `InvalidRequestError`."""


async def read_with(read: BodyReader[Read], call: Call, *, user: object = None) -> Read:
    """Note what a call's body names, and validate it.

    `user` is who asks, where the wire format has another place for it than `user`.
    """
    call.trace.asked(call.body if user is None else {**call.body, "user": user})
    return await read_sized(
        read,
        call.body,
        size_bytes=call.body_bytes,
        limits=call.app.limits,
        strict=call.app.strict_params,
    )


async def read_sized(
    read: BodyReader[Read],
    body: dict[str, Any],
    *,
    size_bytes: int,
    limits: Limits,
    strict: bool,
) -> Read:
    """Validate a body of that size, in a thread where it could hold up the loop."""
    if size_bytes > limits.parse_in_thread_bytes:
        return await asyncio.to_thread(read, body, limits=limits, strict=strict)
    return read(body, limits=limits, strict=strict)
