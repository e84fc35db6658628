"""How one row of a batch samples: what its request asks for, and its random numbers."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from inference.core.requests import SamplingSpec

# Colder is greedy: the logits divided by it would leave float32.
TEMPERATURE_MIN = 1e-6
# Just below one in float32, so that a draw never passes the end of the row.
_DRAW_MAX = 1.0 - 2.0**-22


@dataclass(slots=True)
class RowSampler:
    """How one row samples: its settings and its own random stream."""

    spec: SamplingSpec
    stream: random.Random
    kept: tuple[int, ...] = ()

    @classmethod
    def of(
        cls, spec: SamplingSpec, *, kept: frozenset[int] = frozenset()
    ) -> RowSampler:
        """Return a sampler for `spec`; without a seed the stream is fresh.

        XTC never takes the tokens in `kept` away: those that end the answer.
        """
        stream = random.Random(spec.seed)  # noqa: S311 -- no secret
        return cls(spec=spec, stream=stream, kept=tuple(sorted(kept)))

    @property
    def is_greedy(self) -> bool:
        """Whether the row takes the likeliest token."""
        return self.spec.temperature < TEMPERATURE_MIN

    def draw(self) -> float:
        """Return the next number of the row's stream, in [0, 1)."""
        return min(self.stream.random(), _DRAW_MAX)
