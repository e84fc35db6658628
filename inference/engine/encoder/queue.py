"""The inputs that wait for a model, a pass at a time: owned by the MLX thread."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Protocol

import numpy as np

from inference.core.frames import InputsEncoded
from inference.engine.encoder.batches import EncodeBatch, EncodeJob, JobQueue, Matrix

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from inference.engine.prefill.groups import PrefillPace

logger = logging.getLogger(__name__)

# A request's values go out in frames of so many bytes.
FRAME_BYTES = 1024 * 1024


class Forward(Protocol):
    """What a queue needs of a model."""

    @property
    def has_unit_length(self) -> bool:
        """Whether its vectors are brought to length 1."""

    def chunks(self, batch: EncodeBatch, tokens: int) -> Iterator[Matrix | None]:
        """Compute a batch, about `tokens` tokens at a time; the last is the result."""


class EncodeQueue:
    """Runs passes over what waits; `tell` is told of every request once.

    Without a model nothing ever waits.
    """

    def __init__(
        self,
        model: Forward | None,
        *,
        pace: PrefillPace,
        tell: Callable[[InputsEncoded], None],
    ) -> None:
        self._model = model
        self._pace = pace
        self._tell = tell
        self._jobs = JobQueue()
        self._batch: EncodeBatch | None = None
        self._chunks: Iterator[Matrix | None] = iter(())

    def __len__(self) -> int:
        """Return how many requests wait, or are computed."""
        return len(self._jobs) + (self._batch is not None)

    def append(self, job: EncodeJob) -> None:
        """Have a request's inputs encoded."""
        self._jobs.append(job)

    def advance(self, *, target_s: float) -> None:
        """Compute for about so long; tell of requests that are done, or failed."""
        tokens = self._pace.tokens_in(target_s)
        if self._model is None:
            return
        if self._batch is None or all(job.is_dropped for job, _ in self._batch.rows):
            self._batch = self._jobs.take(tokens)
            if self._batch is None:
                return
            self._chunks = self._model.chunks(self._batch, tokens)
        batch, began = self._batch, time.monotonic()
        try:
            values = next(self._chunks)
        except Exception as error:
            logger.exception("Inputs could not be encoded")
            self._batch = None
            self._fail(batch, error)
            return
        computed = min(tokens, len(batch.rows) * batch.width)
        self._pace.learn(computed, time.monotonic() - began)
        if values is not None:
            self._batch = None
            self._hand_out(batch, values)

    def _hand_out(self, batch: EncodeBatch, values: Matrix) -> None:
        for (job, place), own in zip(batch.rows, values, strict=True):
            job.put(place, own)
        for job in dict.fromkeys(job for job, _ in batch.rows):
            if job.is_done and not job.is_dropped:
                self._tell_values(job)

    def _tell_values(self, job: EncodeJob) -> None:
        values = self._shaped(job).astype("<f4")
        sent, width = values.tobytes(), values.shape[1]
        for start in range(0, len(sent), FRAME_BYTES):
            end = start + FRAME_BYTES
            part = InputsEncoded(
                job.prompt_id, sent[start:end], width, is_last=end >= len(sent)
            )
            self._tell(part)

    def _shaped(self, job: EncodeJob) -> Matrix:
        """Return the vectors as they were asked for, or the first's likeness to each."""
        values = job.values
        if job.compares:
            units = unit_length(values)
            # Rounding makes what is the same more than the same.
            likeness: Matrix = np.clip(units @ units[0], -1.0, 1.0)
            return likeness[:, None]
        if job.dimensions is None or job.dimensions == values.shape[1]:
            return values
        cut = values[:, : job.dimensions]
        is_unit = self._model is not None and self._model.has_unit_length
        return unit_length(cut) if is_unit else cut

    def _fail(self, batch: EncodeBatch, error: Exception) -> None:
        why = f"The model failed at these inputs: {error}"[:500]
        for job in dict.fromkeys(job for job, _ in batch.rows):
            if not job.is_dropped:
                job.is_dropped = True
                self._tell(InputsEncoded(job.prompt_id, message=why))


def unit_length(vectors: Matrix) -> Matrix:
    """Bring vectors to length 1; one that is nothing stays so."""
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    units: Matrix = vectors / np.maximum(norms, 1e-12)
    return units
