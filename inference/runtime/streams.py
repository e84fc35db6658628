"""What a worker has said about the sequences of one request, not yet taken."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from inference.core.errors import ClientTooSlowError, InferenceError

if TYPE_CHECKING:
    from collections.abc import Callable

    from inference.core.frames import ImagesEncoded, PrefixFound, SequenceDelta


@dataclass(slots=True)
class BatchOccupancy:
    """How many rows the batch had while a request's tokens were decoded."""

    most: int = 0
    _rows: int = 0
    _tokens: int = 0

    @property
    def mean(self) -> float | None:
        """Rows per token; `None` before the first."""
        return self._rows / self._tokens if self._tokens else None

    def add(self, rows: int, tokens: int) -> None:
        """Count tokens that were decoded in a batch of `rows` rows."""
        if rows and tokens:
            self._rows += rows * tokens
            self._tokens += tokens
            self.most = max(self.most, rows)


class TokenStream:
    """A one-reader buffer of deltas of one or more sequences, its choices in order.

    The worker's socket is always drained into it; what waits is merged into one
    delta per sequence. A reader that lets more than `limit_bytes` pile up is given
    up: `push` then returns false.
    """

    def __init__(self, *sequence_ids: int, limit_bytes: int) -> None:
        self.sequence_ids = sequence_ids
        self.occupancy = BatchOccupancy()
        self.images: list[ImagesEncoded] = []
        self.prefixes: list[PrefixFound] = []
        self._limit_bytes = limit_bytes
        self._pending: dict[int, SequenceDelta] = {}
        self._in_batch = set(sequence_ids)
        self._error: InferenceError | None = None
        self._reader: asyncio.Future[None] | None = None
        self._on_left: Callable[[int], None] | None = None

    @property
    def cached_tokens(self) -> int:
        """How many tokens of the prompts need not be computed, as far as is known."""
        return sum(prefix.cached for prefix in self.prefixes)

    @property
    def has_left(self) -> bool:
        """Whether the worker holds none of the sequences any longer."""
        return not self._in_batch

    @property
    def in_batch(self) -> tuple[int, ...]:
        """The sequences that the worker still holds."""
        return tuple(self._in_batch)

    def choice_of(self, sequence_id: int) -> int:
        """Return the index of the choice that a sequence writes."""
        return self.sequence_ids.index(sequence_id)

    def when_left(self, callback: Callable[[int], None]) -> None:
        """Call `callback` with how many sequences have left the worker's batch.

        It is called whenever some have, until all have.
        """
        self._on_left = callback
        gone = len(self.sequence_ids) - len(self._in_batch)
        if gone:
            callback(gone)

    def push(self, delta: SequenceDelta, *, rows: int = 0) -> bool:
        """Take a delta from the worker; false when the reader is too slow.

        `rows` is how many rows its batch had.
        """
        self.occupancy.add(rows, delta.tokens)
        if delta.finish:
            self._leave(delta.sequence_id)
        if self._error is not None:
            return True
        waiting = self._pending.get(delta.sequence_id)
        merged = delta if waiting is None else waiting.followed_by(delta)
        self._pending[delta.sequence_id] = merged
        if sum(delta.size for delta in self._pending.values()) > self._limit_bytes:
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
        """Note that the worker holds these sequences no longer."""
        for sequence_id in self.in_batch:
            self._leave(sequence_id)

    async def take(self, patience_s: float | None = None) -> list[SequenceDelta]:
        """Return everything that arrived since the last call, one delta a sequence.

        Nothing where nothing arrives within `patience_s`; `None`: as long as it takes.

        Raises:
            InferenceError: the stream was ended with it.
        """
        if not self._pending:
            if self._error is None:
                await self._wait(patience_s)
            if self._error is not None and not self._pending:
                raise self._error
        pending, self._pending = self._pending, {}
        return list(pending.values())

    async def _wait(self, patience_s: float | None) -> None:
        """Return when something arrived, the stream was ended or the time is over."""
        loop = asyncio.get_running_loop()
        self._reader = loop.create_future()
        alarm = loop.call_later(patience_s, self._wake) if patience_s else None
        try:
            await self._reader
        finally:
            self._reader = None
            if alarm is not None:
                alarm.cancel()

    def _leave(self, sequence_id: int) -> None:
        if sequence_id in self._in_batch:
            self._in_batch.discard(sequence_id)
            if self._on_left is not None:
                self._on_left(1)

    def _wake(self) -> None:
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)
