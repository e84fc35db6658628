"""Checks proposals: the model reads them all in one pass and says what is right."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import mlx.core as mx

if TYPE_CHECKING:
    from collections.abc import Callable

    from inference.engine.sampling.positions import PositionAdjuster, PositionSampler
    from inference.engine.sequences.sequence import Sequence


class RunResult(NamedTuple):
    """What a run gave: the tokens now in the cache, and the one to go on from."""

    tokens: list[int]
    following: int


class Speculation(Protocol):
    """Speeds up the row that decodes alone; the batch tells it of every step."""

    def rows_changed(self, rows: list[Sequence]) -> None:
        """Forget the row that was followed once it has left."""

    def saw_plain_step(self, *, counts: bool) -> None:
        """A plain step has ended; `counts`: of one row that is alone."""

    def advance(
        self,
        row: Sequence,
        cache: list[Any],
        newest: mx.array,
        adjuster: PositionAdjuster,
    ) -> RunResult | None:
        """Make a run from the row's newest token; `None`: a plain step is due.

        Everything before `newest` has been read from the batch into the row's
        history, and is in `cache`.
        """


class StepTimer:
    """Times steps and runs of the row that is alone, in seconds of `clock`.

    Steps overlap, so a step lasts from the end of the one before to its own.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._mark: float | None = None
        self._was_plain = False

    def forget(self) -> None:
        """Time nothing that begins before now."""
        self._mark = None

    def restart(self) -> None:
        """Count from now on."""
        self._mark = self._clock()

    def plain_ended(self, *, counts: bool) -> float | None:
        """Return how long the plain step that has ended took, where that says much."""
        now = self._clock()
        known = counts and self._was_plain and self._mark is not None
        took_s = now - self._mark if known and self._mark is not None else None
        self._mark = now if counts else None
        self._was_plain = True
        return took_s

    def read(self, newest: mx.array) -> int:
        """Return the newest token; the step that computes it ends here."""
        first = int(newest.item())
        if self._was_plain or self._mark is None:
            self._mark = self._clock()
        return first

    def run_ended(self) -> float:
        """Return how long the run that has ended took."""
        now = self._clock()
        assert self._mark is not None
        took_s = now - self._mark
        self._mark, self._was_plain = now, False
        return took_s


def verify(
    model: Any,
    cache: list[Any],
    tokens: mx.array,
    sampler: PositionSampler,
    adjust: Callable[[mx.array], mx.array],
    adjuster: PositionAdjuster,
) -> RunResult:
    """Read the newest token and the proposals behind it; keep those that are right.

    `sampler` has begun, with as many positions as `tokens` has; `adjust` makes of the
    model's logits those that are sampled from.
    """
    depth = tokens.size - 1
    chosen = sampler.choose(adjust(model(tokens[None], cache=cache)[0]))
    mx.eval(tokens, chosen)
    read, said = tokens.tolist(), chosen.tolist()
    accepted = _agreeing(read[1:], said)
    trim(cache, depth - accepted)
    adjuster.keep(accepted + 1)
    sampler.keep(accepted + 1)
    return RunResult([read[0], *said[:accepted]], said[accepted])


def room_of(row: Sequence, reach: int) -> int:
    """Return how many proposals may be of use, where the caches reach so far."""
    tokens = len(row.history)
    return min(reach - len(row.prompt) - tokens, row.max_tokens - tokens) - 1


def tokens_from(row: Sequence, start: int) -> list[int]:
    """Return the row's tokens, prompt and answer, from place `start` on."""
    behind = start - len(row.prompt)
    if behind >= 0:
        return row.history[behind:]
    return [*row.prompt[start:], *row.history]


def trim(cache: list[Any], tokens: int) -> None:
    """Take back the newest tokens of a row."""
    if tokens > 0:
        for layer in cache:
            layer.trim(tokens)


def _agreeing(proposed: list[int], chosen: list[int]) -> int:
    """Return how many proposals are what was chosen, before the first that is not."""
    pairs = zip(proposed, chosen, strict=False)
    return next((i for i, (a, b) in enumerate(pairs) if a != b), len(proposed))
