"""One worker that has imported its engine and waits, so that no load has to."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from typing import TYPE_CHECKING

from inference.runtime.worker_protocol import ModelLoadError

if TYPE_CHECKING:
    from collections.abc import Callable

    from inference.core.frames import WorkerHello
    from inference.runtime.worker_protocol import Worker

logger = logging.getLogger("inference")


class SpareWorker:
    """Owns the worker that no model has yet; disabled, it starts each on demand."""

    def __init__(self, *, make: Callable[[], Worker], is_enabled: bool) -> None:
        self._make = make
        self._is_enabled = is_enabled
        self._worker: Worker | None = None
        self._starting: asyncio.Task[WorkerHello] | None = None
        self._is_stopped = False

    async def take(self) -> Worker:
        """Return a worker that waits for a model; the caller ends it.

        Raises:
            ModelLoadError: its process ended before it said hello.
        """
        worker, starting = self._worker, self._starting
        self._worker = self._starting = None
        if worker is not None and starting is not None:
            try:
                await asyncio.shield(starting)
                if worker.is_alive:
                    return worker
            except (ModelLoadError, OSError):
                logger.debug("The spare worker did not start", exc_info=True)
            except asyncio.CancelledError:
                await _ended(worker, starting)
                raise
            await _ended(worker, starting)
        worker = self._make()
        try:
            await worker.start()
        except BaseException:
            await worker.stop()
            raise
        return worker

    def refill(self) -> None:
        """Begin to start the next one; a load should not have to share the CPU."""
        if not self._is_enabled or self._is_stopped or self._worker is not None:
            return
        self._worker = worker = self._make()
        self._starting = asyncio.create_task(worker.start(), name="spare worker")
        # Its failure is told to whoever takes it.
        self._starting.add_done_callback(_look_at)

    async def stop(self) -> None:
        """End the spare, and start no other."""
        self._is_stopped = True
        worker, starting = self._worker, self._starting
        self._worker = self._starting = None
        if worker is not None and starting is not None:
            await _ended(worker, starting)


async def _ended(worker: Worker, starting: asyncio.Task[WorkerHello]) -> None:
    starting.cancel()
    with suppress(asyncio.CancelledError, ModelLoadError, OSError):
        await starting
    await worker.stop()


def _look_at(task: asyncio.Task[WorkerHello]) -> None:
    if not task.cancelled():
        task.exception()
