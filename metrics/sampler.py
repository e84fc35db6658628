"""The sampler: looks once a second, and tells once a minute what it saw.

Lives on the event loop; a look costs microseconds. What was not looked at (the
server hung, or did not run) is missing from the minute, and not zero.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from inference.core.events import ModelSample, ServerSample
from inference.core.timing import Clock, SystemClock

if TYPE_CHECKING:
    from collections.abc import Callable

    from inference.core.catalog import ModelCard, QueueSnapshot
    from inference.core.events import RequestObserver
    from inference.core.trace import ServerIdentity

LOOK_EVERY_S = 1.0
MINUTE_S = 60


@dataclass(slots=True)
class _Seen:
    """What one model was seen doing since the minute began."""

    running_sum: int = 0
    running_max: int = 0
    waiting_sum: int = 0
    waiting_max: int = 0
    memory_bytes: int = 0

    def add(self, card: ModelCard) -> None:
        self.running_sum += card.active
        self.running_max = max(self.running_max, card.active)
        self.waiting_sum += card.waiting
        self.waiting_max = max(self.waiting_max, card.waiting)
        self.memory_bytes = max(self.memory_bytes, card.memory_bytes or 0)


@dataclass(slots=True)
class _Minute:
    """What was seen since the minute `number` (of Unix time) began."""

    number: int
    looks: int = 0
    waiting_sum: int = 0
    waiting_max: int = 0
    memory_bytes: int = 0
    budget_bytes: int = 0
    models: dict[str, _Seen] = field(default_factory=dict)

    def add(self, seen: QueueSnapshot, budget_bytes: int) -> None:
        self.looks += 1
        self.waiting_sum += seen.waiting
        self.waiting_max = max(self.waiting_max, seen.waiting)
        held = sum(card.memory_bytes or 0 for card in seen.models)
        self.memory_bytes = max(self.memory_bytes, held)
        self.budget_bytes = max(self.budget_bytes, budget_bytes)
        for card in seen.models:
            # A model at rest has no line of zeros for every minute of its rest.
            if card.key in self.models or _is_up(card):
                self.models.setdefault(card.key, _Seen()).add(card)

    def to_sample(self, identity: ServerIdentity) -> ServerSample:
        return ServerSample(
            at=float(self.number * MINUTE_S),
            node=identity.node,
            boot_id=identity.boot_id,
            looks=self.looks,
            waiting_sum=self.waiting_sum,
            waiting_max=self.waiting_max,
            memory_bytes=self.memory_bytes,
            budget_bytes=self.budget_bytes,
            models=tuple(
                ModelSample(
                    model=key,
                    running_sum=seen.running_sum,
                    running_max=seen.running_max,
                    waiting_sum=seen.waiting_sum,
                    waiting_max=seen.waiting_max,
                    memory_bytes=seen.memory_bytes,
                )
                for key, seen in self.models.items()
            ),
        )


class Sampler:
    """Owns the minute that is under way; publishes it when it is over.

    `look()` returns the queues and models at that moment, `budget_bytes()` what the
    models together may hold.
    """

    def __init__(
        self,
        *,
        look: Callable[[], QueueSnapshot],
        budget_bytes: Callable[[], int],
        observer: RequestObserver,
        identity: ServerIdentity,
        clock: Clock | None = None,
    ) -> None:
        self._look = look
        self._budget_bytes = budget_bytes
        self._observer = observer
        self._identity = identity
        self._clock = clock or SystemClock()
        self._minute = _Minute(self._now())
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to look once a second."""
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """End, and publish what the last minute has so far."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
        self._publish()

    def look(self) -> None:
        """Look once; a minute that is over is published first."""
        number = self._now()
        if number != self._minute.number:
            self._publish()
            self._minute = _Minute(number)
        self._minute.add(self._look(), self._budget_bytes())

    async def _run(self) -> None:
        while True:
            self.look()
            await asyncio.sleep(LOOK_EVERY_S)

    def _publish(self) -> None:
        if self._minute.looks:
            self._observer.server_sample(self._minute.to_sample(self._identity))
        self._minute = _Minute(self._minute.number)

    def _now(self) -> int:
        return int(self._clock.wall()) // MINUTE_S


def _is_up(card: ModelCard) -> bool:
    return bool(card.active or card.waiting or card.memory_bytes)
