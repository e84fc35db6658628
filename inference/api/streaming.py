"""A generation as a streaming response: owns its frames and how it is let go.

A stream has ended well only when its generator's `finally` has run: it frees
the seat and closes the trace. An async generator that was never started has no
`finally`, so a stream is started before its response exists.
"""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING

from django.http import StreamingHttpResponse

from inference.protocol import sse
from inference.protocol.errors import public_error
from inference.protocol.pacing import with_silences

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from inference.core.requests import Delta
    from inference.core.trace import RequestTrace
    from inference.protocol.chunks import ChunkWriter

_HEADERS = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}


async def chat_frames(
    deltas: AsyncGenerator[Delta, None],
    writer: ChunkWriter,
    trace: RequestTrace,
    *,
    keepalive_after_s: float,
) -> AsyncGenerator[bytes, None]:
    """Yield a generation's SSE frames; close it and its trace on every exit.

    Before the first frame an error is raised, so that it gets an HTTP status of
    its own; after it, an error is the stream's last event.
    """
    begun = False
    try:
        async with aclosing(with_silences(deltas, after_s=keepalive_after_s)) as paced:
            async for delta in paced:
                frame = (
                    sse.KEEP_ALIVE
                    if delta is None
                    else sse.events(writer.chunks(delta))
                )
                if frame:
                    begun = True
                    yield frame
        # The row is written before the client can know of the end.
        trace.finish()
        trace.close()
        yield sse.events(writer.ending()) + sse.DONE
    except Exception as error:  # noqa: BLE001 -- logged by `public_error`
        public = public_error(error)
        trace.fail(public)
        if not begun:
            raise public from None
        yield sse.error_event(public)
    finally:
        trace.close()


async def sse_reply(
    frames: AsyncGenerator[bytes, None], *, headers: Callable[[], dict[str, str]]
) -> StreamingHttpResponse:
    """Answer with the frames, as soon as the first one is there.

    `headers` are asked for then: the prompt is prepared, and more is known.
    """
    body = StreamBody(await anext(frames), frames)
    task = asyncio.current_task()
    assert task is not None
    task.add_done_callback(body.close_if_cancelled)
    return StreamingHttpResponse(
        body, content_type="text/event-stream", headers={**_HEADERS, **headers()}
    )


class StreamBody:
    """The frames of one response, the first one in hand; lets go of them surely.

    Django closes what it iterates to the end; these are the other ways out:
    `close`, called by Django from any thread when a response was sent or its
    client left meanwhile, and `close_if_cancelled`, for a response that was
    made and then lost because the client left before it was sent.
    """

    def __init__(self, first: bytes, rest: AsyncGenerator[bytes, None]) -> None:
        self._first: bytes | None = first
        self._rest = rest
        self._loop = asyncio.get_running_loop()
        self._ended = False
        self._closing: asyncio.Task[None] | None = None

    def __aiter__(self) -> StreamBody:
        return self

    async def __anext__(self) -> bytes:
        if self._first is not None:
            first, self._first = self._first, None
            return first
        try:
            return await anext(self._rest)
        except StopAsyncIteration:
            self._ended = True
            raise

    async def aclose(self) -> None:
        """End the frames and wait until they have let go of everything."""
        self._ended = True
        await self._rest.aclose()

    def close(self) -> None:
        """End the frames soon; callable from every thread, any number of times."""
        if not self._ended and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._close_soon)

    def close_if_cancelled(self, task: asyncio.Task[object]) -> None:
        """End the frames if the task that was to send them was cancelled."""
        if task.cancelled():
            self.close()

    def _close_soon(self) -> None:
        if self._closing is None and not self._ended:
            self._closing = self._loop.create_task(self.aclose())
