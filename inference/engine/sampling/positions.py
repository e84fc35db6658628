"""Several positions of one row, chosen at once as if they had come one by one.

To the sampler and the adjuster each position is a row of a batch. The row's
random numbers are drawn ahead; those of positions that come to nothing go back.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import cycle
from typing import TYPE_CHECKING, Any

import mlx.core as mx

from inference.engine.sampling.adjusting import BatchAdjuster
from inference.engine.sampling.sampler import BatchSampler
from inference.engine.sequences.row_sampler import RowSampler

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(slots=True)
class _PositionSampler(RowSampler):
    """A row's settings with the numbers of one position.

    They come round again: first for what the draft proposes, then for the choice.
    """

    numbers: Iterator[float] = field(default_factory=lambda: cycle((0.0,)))

    def draw(self) -> float:
        """Return the next number of this position."""
        return next(self.numbers)


class PositionSampler:
    """Samples up to `most` positions that follow each other in one row."""

    def __init__(self, row: RowSampler, *, most: int) -> None:
        self._row = row
        self._draws = _draws_per_token(row)
        self._positions = [
            _PositionSampler(row.spec, row.stream, row.kept) for _ in range(most)
        ]
        self._alone = [BatchSampler([position]) for position in self._positions]
        self._together: dict[int, BatchSampler] = {}
        self._before: Any = None

    def begin(self, positions: int) -> None:
        """Draw the row's numbers for so many positions."""
        if not self._draws:
            return
        self._before = self._row.stream.getstate()
        for position in self._positions[:positions]:
            position.numbers = cycle([self._row.draw() for _ in range(self._draws)])

    def propose(self, at: int, logits: mx.array) -> mx.array:
        """Return what position `at` would choose from a draft's logits, lazily."""
        return self._alone[at](logits)

    def choose(self, logits: mx.array) -> mx.array:
        """Return a token for each position of `logits`, lazily."""
        count = logits.shape[0]
        if count not in self._together:
            self._together[count] = BatchSampler(list(self._positions[:count]))
        return self._together[count](logits)

    def keep(self, positions: int) -> None:
        """Give back the numbers of all positions behind the first ones."""
        if not self._draws:
            return
        self._row.stream.setstate(self._before)
        for _ in range(positions * self._draws):
            self._row.draw()


class PositionAdjuster(BatchAdjuster):
    """Adjusts a batch; where that is one row, several of its positions too."""

    def adjust_positions(self, logits: mx.array, tokens: mx.array) -> mx.array:
        """Return the logits for what follows each of `tokens`, lazily.

        Each token counts for its own position and all behind it; `keep` has to
        follow. End tokens are not banned: the row must be past its `min_tokens`.
        """
        self._counts_after: list[mx.array | None] = []
        if not self:
            return logits
        adjusted = []
        for at in range(logits.shape[0]):
            one = slice(at, at + 1)
            adjusted.append(self(logits[one], tokens[one], set()))
            self._counts_after.append(self._counts)
        return mx.concatenate(adjusted)

    def keep(self, positions: int) -> None:
        """Count only the tokens of the first `positions` (at least one)."""
        if self._counts_after:
            self._counts = self._counts_after[positions - 1]


def _draws_per_token(row: RowSampler) -> int:
    """Return how many numbers a token takes from the row's stream."""
    if row.is_greedy:
        return 0
    return 2 if row.spec.xtc_probability > 0.0 else 1
