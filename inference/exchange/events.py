"""The one grammar of streams: what is said when, and how the trace ends."""

from __future__ import annotations

import asyncio
import logging
from contextlib import AsyncExitStack, aclosing
from typing import TYPE_CHECKING, Any, TypeVar

from inference.exchange.writers import keep_told
from inference.protocol.errors import public_error

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence

    from inference.core.trace import RequestTrace
    from inference.exchange.writers import DeltaSource, StreamWriter
    from inference.protocol.sse import Event

T = TypeVar("T")
_log = logging.getLogger(__name__)


async def stream_events(
    opened: Callable[[AsyncExitStack], Awaitable[DeltaSource[T]]],
    writer: StreamWriter[T],
    trace: RequestTrace,
    *,
    silence_s: float,
) -> AsyncGenerator[Sequence[Event], None]:
    """Yield the events of a stream; none at a time after each `silence_s` of silence.

    Before the first event an error is raised, so that it gets a status of its own;
    after it, an error is what the stream ends with. However this is left, the stack
    that `opened` filled is let go of, what is to be kept of it is, and the trace is
    closed.
    """
    begun = False
    try:
        async with aclosing(_told(opened, writer, silence_s)) as told:
            async for events in told:
                begun = True
                yield events
        ending = writer.ending()
        await keep_told(writer)
        # The row is written before the client can know of the end.
        trace.finish()
        trace.close()
        yield ending
    except Exception as error:  # noqa: BLE001 -- logged by `public_error`
        public = public_error(error)
        trace.fail(public)
        if not begun:
            raise public from None
        failed = writer.failed(public)
        await _keep_in_any_case(writer)
        trace.close()
        yield failed
    except (asyncio.CancelledError, GeneratorExit):
        trace.close()
        if begun:
            await _keep_in_any_case(writer)
        raise
    finally:
        trace.close()


async def _told(
    opened: Callable[[AsyncExitStack], Awaitable[DeltaSource[T]]],
    writer: StreamWriter[T],
    silence_s: float,
) -> AsyncGenerator[Sequence[Event], None]:
    """Yield what is told until the source has ended, and let go of it."""
    async with AsyncExitStack() as stack:
        opening = asyncio.ensure_future(opened(stack))
        try:
            while not (await asyncio.wait((opening,), timeout=silence_s))[0]:
                yield ()
        finally:
            await _settled(opening)
        source = opening.result()
        now = asyncio.get_running_loop().time
        told_at = now()
        while not source.is_ended:
            items = await source.take(silence_s)
            events = [event for item in items for event in writer.events(item)]
            # What comes may have nothing in it that is told.
            if events or not items or now() - told_at >= silence_s:
                told_at = now()
                yield events


async def _keep_in_any_case(writer: object) -> None:
    """Keep what is left of an answer that ended badly; that may fail, too."""
    try:
        await keep_told(writer)
    except Exception:  # noqa: BLE001 -- logged here
        _log.exception("What was answered could not be kept")


async def _settled(opening: asyncio.Future[Any]) -> None:
    """Wait until what was begun has let go, where nobody waits for it any more."""
    if not opening.done():
        opening.cancel()
        await asyncio.wait((opening,))
        if not opening.cancelled():
            opening.exception()  # taken: whoever asked has gone
