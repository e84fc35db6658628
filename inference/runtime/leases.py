"""Who uses a model, and since when nobody does."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from inference.core.timing import Clock


class Lease:
    """One request's use of a model, and the memory it was promised."""

    def __init__(self) -> None:
        self.kv_bytes = 0


class Leases:
    """Owns the leases on one model; `on_unused` is called when the last one ends."""

    def __init__(self, *, clock: Clock, on_unused: Callable[[], None]) -> None:
        self._clock = clock
        self._on_unused = on_unused
        self._leases: set[Lease] = set()
        self._wanted = 0
        self._unused = asyncio.Event()
        self._unused.set()
        self.last_used_at: float | None = None

    def __len__(self) -> int:
        """Return how many use the model, or wait until they can."""
        return len(self._leases) + self._wanted

    @property
    def is_busy(self) -> bool:
        """Whether somebody uses the model, or waits until it can be used."""
        return bool(self._leases or self._wanted)

    @property
    def promised_bytes(self) -> int:
        """Keys and values that were promised and may not be computed yet."""
        return sum(lease.kv_bytes for lease in self._leases)

    @contextmanager
    def lease(self) -> Iterator[Lease]:
        """Use the model: until the end it is neither evicted nor retired."""
        lease = Lease()
        self._leases.add(lease)
        self._unused.clear()
        try:
            yield lease
        finally:
            self._leases.discard(lease)
            self.last_used_at = self._clock.wall()
            self._note_end()

    @contextmanager
    def wanted(self) -> Iterator[None]:
        """Keep the model from being evicted while it loads, or is waited for."""
        self._wanted += 1
        try:
            yield
        finally:
            self._wanted -= 1
            self._note_end()

    async def wait_unused(self) -> None:
        """Return when nobody uses it; some may still wait for it."""
        await self._unused.wait()

    def _note_end(self) -> None:
        if not self._leases:
            self._unused.set()
        if not self.is_busy:
            self._on_unused()
