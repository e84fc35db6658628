"""Log-probabilities: whose logits are kept with their token, and what they say.

The logits of the rows that ask are copied to the host with the token they led
to; the sender's thread makes probabilities of them, so the MLX thread and the
other rows lose next to nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import mlx.core as mx
import numpy as np

if TYPE_CHECKING:
    from inference.engine.sequences.sequence import Sequence


@dataclass(frozen=True, slots=True)
class StepLogits:
    """The logits behind one step's tokens, still being computed perhaps."""

    arrays: tuple[mx.array, ...] = ()
    sequence_ids: tuple[int, ...] = ()

    def read(self) -> dict[int, np.ndarray]:
        """Return each asking sequence's logits, copied."""
        if not self.arrays:
            return {}
        return dict(zip(self.sequence_ids, np.array(self.arrays[0]), strict=True))


@dataclass(slots=True)
class LogitsCapture:
    """Keeps the logits of those rows that asked for log-probabilities."""

    rows: list[Sequence]
    _at: mx.array | None = field(init=False, default=None)
    _ids: tuple[int, ...] = field(init=False, default=())

    def __post_init__(self) -> None:
        asking = [i for i, r in enumerate(self.rows) if r.spec.logprobs is not None]
        if asking:
            self._at = mx.array(asking)
            self._ids = tuple(self.rows[i].sequence_id for i in asking)

    def __call__(self, logits: mx.array) -> StepLogits:
        """Return the asking rows of `logits`, lazily."""
        if self._at is None:
            return StepLogits()
        return StepLogits((logits[self._at].astype(mx.float32),), self._ids)


@dataclass(frozen=True, slots=True)
class Likelihood:
    """The natural logarithm of a token's probability, and the likeliest others'."""

    logprob: float
    top: tuple[tuple[int, float], ...]


def likelihood_of(token: int, logits: np.ndarray, *, top: int) -> Likelihood:
    """Return how likely `token` was, and the `top` likeliest tokens, best first."""
    highest = logits.max()
    total = float(highest) + float(np.log(np.exp(logits - highest).sum()))
    best: list[tuple[int, float]] = []
    if top:
        among = np.argpartition(logits, -top)[-top:]
        ordered = among[np.argsort(-logits[among], kind="stable")]
        best = [(int(i), float(logits[i]) - total) for i in ordered]
    return Likelihood(logprob=float(logits[token]) - total, top=tuple(best))
