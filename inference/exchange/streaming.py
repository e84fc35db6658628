"""A stream as an HTTP response: owns its events and how they are let go.

A stream has ended well only when its generator's `finally` has run: it frees
the seat and closes the trace. An async generator that was never started has no
`finally`, so a stream is started before its response exists.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from django.http import StreamingHttpResponse

from inference.protocol.sse import framed

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Sequence

    from inference.protocol.sse import Event

_HEADERS = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}


async def sse_reply(
    events: AsyncGenerator[Sequence[Event], None],
    *,
    keep_alive: Callable[[], bytes],
    headers: Callable[[], dict[str, str]] = dict,
) -> StreamingHttpResponse:
    """Answer with the events, as soon as the first ones are there.

    `keep_alive` stands for none. `headers` are asked for then: the prompt is
    prepared, and more is known.
    """
    body = StreamBody(await anext(events), events, keep_alive)
    task = asyncio.current_task()
    assert task is not None
    task.add_done_callback(body.close_if_cancelled)
    return StreamingHttpResponse(
        body, content_type="text/event-stream", headers={**_HEADERS, **headers()}
    )


class StreamBody:
    """The bytes of one response, the first in hand; lets go of its events surely.

    Django closes what it iterates to the end; these are the other ways out:
    `close`, called by Django from any thread when a response was sent or its
    client left meanwhile, and `close_if_cancelled`, for a response that was
    made and then lost because the client left before it was sent.
    """

    def __init__(
        self,
        first: Sequence[Event],
        rest: AsyncGenerator[Sequence[Event], None],
        keep_alive: Callable[[], bytes],
    ) -> None:
        self._first: Sequence[Event] | None = first
        self._rest = rest
        self._keep_alive = keep_alive
        self._loop = asyncio.get_running_loop()
        self._ended = False
        self._closing: asyncio.Task[None] | None = None

    def __aiter__(self) -> StreamBody:
        return self

    async def __anext__(self) -> bytes:
        events, self._first = self._first, None
        if events is None:
            try:
                events = await anext(self._rest)
            except StopAsyncIteration:
                self._ended = True
                raise
        return framed(events) if events else self._keep_alive()

    async def aclose(self) -> None:
        """End the events and wait until they have let go of everything."""
        self._ended = True
        await self._rest.aclose()

    def close(self) -> None:
        """End the events soon; callable from every thread, any number of times."""
        if not self._ended and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._close_soon)

    def close_if_cancelled(self, task: asyncio.Task[object]) -> None:
        """End the events if the task that was to send them was cancelled."""
        if task.cancelled():
            self.close()

    def _close_soon(self) -> None:
        if self._closing is None and not self._ended:
            self._closing = self._loop.create_task(self.aclose())
