"""Adding up what servers were seen doing, and when they ran at all.

Several servers at one time add up; one after the other on a node, within a span,
the higher figure counts.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from metrics.history.values import Depth

if TYPE_CHECKING:
    from collections.abc import Iterable, Set

    from metrics.history.rows import GaugeRow
    from metrics.history.steps import ChartSpan
    from metrics.history.values import Counts, Figures

# A sample covers a minute and is told at its end; then the record takes it in.
SAMPLE_S, LAG_S = 60, 60
# By span and whatever adds up within one.
Highest = dict[tuple[int, str], int]


class GaugeSums:
    """The samples of a range by span and node."""

    def __init__(self, span: ChartSpan, *, models: Set[str]) -> None:
        self._span = span
        self._models = models
        self._size = len(span.points)
        self.seen: set[int] = set()
        # Points that a sample lies in: the newest may have none yet.
        self._sampled: set[int] = set()
        # (point, node) -> sums; (span, node) -> highest
        self._looks: dict[tuple[int, str], int] = defaultdict(int)
        self._waiting: dict[tuple[int, str], int] = defaultdict(int)
        self._running: dict[tuple[int, str], int] = defaultdict(int)
        self._deepest: Highest = defaultdict(int)
        self._budget: Highest = defaultdict(int)
        self._memory: dict[str, Highest] = {}

    def add(self, rows: Iterable[GaugeRow]) -> None:
        """Take rows in."""
        for row in rows:
            if row.model:
                self._add_model(row, row.at_s)
            else:
                self._add_server(row, row.at_s)

    def _point(self, at_s: int) -> int:
        return (at_s - self._span.start_s) // self._span.step_s

    def _add_server(self, row: GaugeRow, at_s: int) -> None:
        self.seen.add(at_s)
        at = self._point(at_s), row.node
        self._sampled.add(at[0])
        self._looks[at] += row.looks
        _raise(self._budget, (at_s, row.node), row.budget_bytes)
        if not self._models:
            self._add_waiting(row, at_s)

    def _add_model(self, row: GaugeRow, at_s: int) -> None:
        at = self._point(at_s), row.node
        self._running[at] += row.running_sum
        memory = self._memory.setdefault(row.model, defaultdict(int))
        _raise(memory, (at_s, row.node), row.memory_bytes)
        if self._models:
            self._add_waiting(row, at_s)

    def _add_waiting(self, row: GaugeRow, at_s: int) -> None:
        self._waiting[self._point(at_s), row.node] += row.waiting_sum
        _raise(self._deepest, (at_s, f"{row.node} {row.model}"), row.waiting_max)

    def depth(self) -> Depth:
        """Return how many waited and ran."""
        return Depth(
            mean=self._means(self._waiting),
            max=self._highest(self._deepest),
            running=self._means(self._running),
        )

    def memory(self) -> dict[str, Counts]:
        """Return what each model held at the most, in bytes."""
        return {m: self._highest(at) for m, at in sorted(self._memory.items())}

    def budget(self) -> Counts:
        """Return what models might hold together, in bytes."""
        return [held or None for held in self._highest(self._budget)]

    def _means(self, sums: dict[tuple[int, str], int]) -> Figures:
        means: Figures = [
            0.0 if i in self._sampled else None for i in range(self._size)
        ]
        for (i, node), total in sums.items():
            if looks := self._looks.get((i, node)):
                means[i] = round((means[i] or 0.0) + total / looks, 2)
        return means

    def _highest(self, figures: Highest) -> Counts:
        together: dict[int, int] = defaultdict(int)
        for (at_s, *_), figure in figures.items():
            together[at_s] += figure
        highest: Counts = [0 if i in self._sampled else None for i in range(self._size)]
        for at_s, figure in together.items():
            i = self._point(at_s)
            highest[i] = max(highest[i] or 0, figure)
        return highest


def _raise(figures: Highest, at: tuple[int, str], figure: int) -> None:
    figures[at] = max(figures[at], figure)


def stretches_down(
    span: ChartSpan, seen: Set[int], *, now_s: int
) -> list[tuple[int, int]]:
    """Return the stretches of the range, up to now, in which no server ran.

    The newest span may have no sample yet: it is like the one before it.
    """
    length_s = int(span.level.span.total_seconds())
    stretches: list[tuple[int, int]] = []
    since: int | None = None
    for at_s in range(span.start_s, min(span.end_s, now_s), length_s):
        is_pending = at_s + SAMPLE_S + LAG_S > now_s
        if at_s in seen or (is_pending and since is None and at_s > span.start_s):
            if since is not None:
                stretches.append((since, at_s))
            since = None
        elif since is None:
            since = at_s
    if since is not None:
        stretches.append((since, min(span.end_s, now_s)))
    return stretches


def points_up(
    span: ChartSpan, down: list[tuple[int, int]], *, now_s: int
) -> list[bool]:
    """Return for each point whether a server ran in some part of it."""
    up = []
    for at_s in span.points:
        ends_s = min(at_s + span.step_s, now_s)
        is_down = any(start <= at_s and ends_s <= end for start, end in down)
        up.append(at_s <= now_s and not is_down)
    return up
