"""The steps that every request takes on its way to a model, whatever it asks of it."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from inference.core.errors import InferenceError, QueueTimeoutError
from inference.core.outcomes import Outcome, Phase
from inference.runtime.deadline import Deadline

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterator
    from contextlib import ExitStack

    from inference.core.trace import RequestTrace
    from inference.runtime.admission import Seats
    from inference.runtime.pool import ModelPool
    from inference.runtime.served import ServedModel
    from inference.runtime.worker_protocol import Worker

T = TypeVar("T")


class AdmissionSteps:
    """One request's way to a model.

    Each step waits no longer than the request may, and says in the trace which phase
    it is.
    """

    def __init__(
        self, *, model: ServedModel, trace: RequestTrace, pool: ModelPool
    ) -> None:
        self._model = model
        self._trace = trace
        self._pool = pool
        self._context = pool.context
        self._deadline = Deadline(
            self._context.config.request_timeout_s,
            self._context.clock,
            spent_s=trace.elapsed_s,
        )

    async def _in_time(self, steps: Coroutine[Any, Any, T]) -> T:
        try:
            return await self._trace.stopper.step(steps)
        except InferenceError as error:
            if self._deadline.is_over and error.outcome is not Outcome.INVALID:
                raise self._deadline.error() from None
            raise

    async def _wait_for_worker(self) -> Worker:
        model, worker = self._model, self._model.current_worker()
        if model.is_ready and worker is not None:
            return worker
        self._trace.enter(Phase.LOADING)
        with self._context.waiting.place(), model.use.wanted():
            return await self._pool.ready(model, self._patience_s())

    async def _take_seats(self, held: ExitStack, count: int = 1) -> Seats:
        self._trace.enter(Phase.QUEUED)
        seats = await self._model.queue.take(timeout_s=self._patience_s(), count=count)
        held.callback(seats.release)
        self._trace.admitted()
        return seats

    # --- time

    def _patience_s(self) -> float:
        return self._deadline.left_s(self._context.config.queue_timeout_s)

    @contextmanager
    def _patience(self, late: str) -> Iterator[float]:
        """Hand out how long a step may take; `late` is what is said when it did."""
        try:
            yield self._patience_s()
        except TimeoutError:
            raise QueueTimeoutError(late) from None
