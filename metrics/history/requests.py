"""Adding up requests: one slot per point, filled from sums by span."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import msgspec

from metrics.histograms import merged, quantile
from metrics.history.values import ChartSpeed, Percentiles
from metrics.models.rollups import ENDS, ERRORS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from metrics.history.rows import SumRow, TextRow
    from metrics.history.steps import ChartSpan

BY_MODEL = ("requests", "prompt_tokens", "completion_tokens")
_ADDED = (*ENDS, "requests", "prompt_tokens", "cached_tokens", "completion_tokens")
_LISTS = msgspec.json.Decoder(list[list[int]])
_COUNTERS = msgspec.json.Decoder(list[dict[str, int]])


class RequestSums:
    """The sums of a range's requests by point."""

    def __init__(
        self, span: ChartSpan, sums: Iterable[SumRow], texts: Iterable[TextRow]
    ) -> None:
        self._span = span
        self.size = len(span.points)
        self.seen: set[int] = set()
        self.by_model: dict[str, dict[str, list[int]]] = {}
        self.sums = {name: [0] * self.size for name in _ADDED}
        self._speeds: list[list[SumRow]] = [[] for _ in range(self.size)]
        self._texts: list[list[TextRow]] = [[] for _ in range(self.size)]
        for row in sums:
            self._add(row)
        for text in texts:
            self._texts[self._point(text.at_s)].append(text)

    def _point(self, at_s: int) -> int:
        return (at_s - self._span.start_s) // self._span.step_s

    def _add(self, row: SumRow) -> None:
        self.seen.add(row.at_s)
        i = self._point(row.at_s)
        columns = self.by_model.get(row.model)
        if columns is None:
            columns = {name: [0] * self.size for name in BY_MODEL}
            self.by_model[row.model] = columns
        for name in BY_MODEL:
            columns[name][i] += getattr(row, name)
        for name, counts in self.sums.items():
            counts[i] += getattr(row, name)
        if row.tps_count:
            self._speeds[i].append(row)

    def errors(self) -> list[int]:
        """Return how many ended as an error or a rejection."""
        return list(map(sum, zip(*(self.sums[end] for end in ERRORS), strict=True)))

    def speed(self) -> ChartSpeed:
        """Return mean, slowest and fastest."""
        lowest = [_known(row.tps_min for row in rows) for rows in self._speeds]
        highest = [_known(row.tps_max for row in rows) for rows in self._speeds]
        return ChartSpeed(
            avg=[_mean_tps(rows) for rows in self._speeds],
            min=[_rounded(min(tps, default=None)) for tps in lowest],
            max=[_rounded(max(tps, default=None)) for tps in highest],
        )

    def mean_tps(self) -> float | None:
        """Return the mean over the range."""
        return _mean_tps([row for rows in self._speeds for row in rows])

    def histograms(self, name: str) -> list[list[int]]:
        """Return the merged histogram of each point."""
        return [
            merged(*_LISTS.decode(f"[{_joined(rows, name)}]")) for rows in self._texts
        ]

    def reasons(self) -> list[Counter[str]]:
        """Return how often each reason occurred, by point."""
        counters = []
        for rows in self._texts:
            counter: Counter[str] = Counter()
            for counts in _COUNTERS.decode(f"[{_joined(rows, 'reasons')}]"):
                for reason, count in counts.items():
                    counter[reason] += count
            counters.append(counter)
        return counters


def _joined(rows: Iterable[TextRow], name: str) -> str:
    return ",".join([getattr(row, name) for row in rows])


def _mean_tps(rows: Sequence[SumRow]) -> float | None:
    count = sum(row.tps_count for row in rows)
    return _rounded(sum(row.tps_sum for row in rows) / count) if count else None


def _known(figures: Iterable[float | None]) -> list[float]:
    return [figure for figure in figures if figure is not None]


def percentiles(
    histograms: Sequence[Sequence[int]], bounds: Sequence[float]
) -> Percentiles:
    """Return the three that the charts draw, by point."""
    return Percentiles(
        *(
            [_rounded(quantile(counts, bounds, share)) for counts in histograms]
            for share in (0.5, 0.95, 0.99)
        )
    )


def _rounded(figure: float | None) -> float | None:
    """Keep four digits: no chart shows more."""
    return None if figure is None else float(f"{figure:.4g}")
