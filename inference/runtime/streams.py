"""What a worker has said about one sequence and its reader has not yet taken."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from inference.core.errors import ClientTooSlowError, InferenceError

if TYPE_CHECKING:
    from collections.abc import Callable

    from inference.core.frames import SequenceDelta


class TokenStream:
    """A one-reader buffer of deltas; what waits is merged into one.

    The worker's socket is always drained into it. A reader that lets more than
    `limit_bytes` pile up is given up: `push` then returns false.
    """

    def __init__(self, sequence_id: int, *, limit_bytes: int) -> None:
        self.sequence_id = sequence_id
        self._limit_bytes = limit_bytes
        self._pending: SequenceDelta | None = None
        self._error: InferenceError | None = None
        self._reader: asyncio.Future[None] | None = None
        self._on_left: Callable[[], None] | None = None
        self.has_left = False

    def when_left(self, callback: Callable[[], None]) -> None:
        """Call `callback` once, when the sequence has left the worker's batch."""
        if self.has_left:
            callback()
        else:
            self._on_left = callback

    def push(self, delta: SequenceDelta) -> bool:
        """Take a delta from the worker; false when the reader is too slow."""
        if delta.finish:
            self.leave()
        if self._error is not None:
            return True
        waiting = self._pending
        self._pending = delta if waiting is None else waiting.followed_by(delta)
        if len(self._pending.text) > self._limit_bytes:
            self.fail(
                ClientTooSlowError(
                    f"More than {self._limit_bytes} characters were waiting to be read."
                )
            )
            return False
        self._wake()
        return True

    def fail(self, error: InferenceError) -> None:
        """End the stream with an error, after what is already there was read."""
        if self._error is None:
            self._error = error
            self._wake()

    def leave(self) -> None:
        """Note that the worker holds this sequence no longer."""
        self.has_left = True
        callback, self._on_left = self._on_left, None
        if callback is not None:
            callback()

    async def take(self) -> SequenceDelta:
        """Return everything that arrived since the last call, as one delta.

        Raises:
            InferenceError: the stream was ended with it.
        """
        while self._pending is None:
            if self._error is not None:
                raise self._error
            self._reader = asyncio.get_running_loop().create_future()
            try:
                await self._reader
            finally:
                self._reader = None
        pending, self._pending = self._pending, None
        return pending

    def _wake(self) -> None:
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)
