"""Adding up requests: one slot per point, filled row by row."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec

from metrics.histograms import merged, quantile
from metrics.history.rows import ERRORS, RollupColumns
from metrics.history.values import Percentiles, Speed, Use
from metrics.models.rollups import ENDS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from metrics.history.steps import Span

BY_MODEL = ("requests", "prompt_tokens", "completion_tokens")
_LISTS = msgspec.json.Decoder(list[list[int]])
_COUNTERS = msgspec.json.Decoder(list[dict[str, int]])


class RequestSums:
    """The sums of a range's requests by point, and of its keys."""

    def __init__(self, span: Span, rows: Iterable[tuple[Any, ...]]) -> None:
        self._span = span
        self.size = len(span.points)
        self.seen: set[int] = set()
        self.by_model: dict[str, dict[str, list[int]]] = {}
        self._keys: dict[str, list[int]] = {}
        # Columns of each point's rows: summed up in one go, not row by row.
        self._columns: list[RollupColumns | None] = [None] * self.size
        for i, rows_at in self._by_point(rows).items():
            columns = RollupColumns._make(zip(*rows_at, strict=True))
            self._columns[i] = columns
            self._add_parts(i, columns)
        self.requests = self._sums("requests")
        self.prompt_tokens = self._sums("prompt_tokens")
        self.cached_tokens = self._sums("cached_tokens")
        self.outcomes = {end: self._sums(end) for end in ENDS}

    def _by_point(self, rows: Iterable[tuple[Any, ...]]) -> dict[int, list[Any]]:
        by_span: dict[str, list[Any]] = defaultdict(list)
        for row in rows:
            by_span[row[0]].append(row)
        by_point: dict[int, list[Any]] = defaultdict(list)
        for text, rows_at in by_span.items():
            at_s = _unix_s(text)
            self.seen.add(at_s)
            i = (at_s - self._span.start_s) // self._span.step_s
            by_point[i] += rows_at
        return by_point

    def _add_parts(self, i: int, at: RollupColumns) -> None:
        errors = map(sum, zip(*(getattr(at, name) for name in ERRORS), strict=True))
        for model, key, bad, *counts in zip(
            at.model,
            at.key,
            errors,
            at.requests,
            at.prompt_tokens,
            at.completion_tokens,
            strict=True,
        ):
            columns = self.by_model.get(model)
            if columns is None:
                columns = {name: [0] * self.size for name in BY_MODEL}
                self.by_model[model] = columns
            use = self._keys.setdefault(key, [0, 0, 0, 0])
            for k, name in enumerate(BY_MODEL):
                columns[name][i] += counts[k]
                use[k] += counts[k]
            use[3] += bad

    def _sums(self, name: str) -> list[int]:
        return [sum(getattr(at, name)) if at else 0 for at in self._columns]

    def uses(self) -> list[Use]:
        """Return the use per key, the busiest first."""
        uses = [Use(key, *counts) for key, counts in self._keys.items()]
        return sorted(uses, key=lambda use: (-use.requests, use.key))

    def errors(self) -> list[int]:
        """Return how many ended as an error or a rejection."""
        return [
            sum(counts)
            for counts in zip(*map(self.outcomes.__getitem__, ERRORS), strict=True)
        ]

    def speed(self) -> Speed:
        """Return mean, slowest and fastest."""
        lowest = [_known(at.tps_min) if at else [] for at in self._columns]
        highest = [_known(at.tps_max) if at else [] for at in self._columns]
        return Speed(
            avg=[_mean_tps([at]) if at else None for at in self._columns],
            min=[_rounded(min(tps, default=None)) for tps in lowest],
            max=[_rounded(max(tps, default=None)) for tps in highest],
        )

    def mean_tps(self) -> float | None:
        """Return the mean over the range."""
        return _mean_tps([at for at in self._columns if at])

    def histograms(self, name: str) -> list[list[int]]:
        """Return the merged histogram of each point."""
        return [
            merged(*_LISTS.decode(f"[{','.join(getattr(at, name))}]")) if at else []
            for at in self._columns
        ]

    def reasons(self) -> list[Counter[str]]:
        """Return how often each reason occurred, by point."""
        counters: list[Counter[str]] = [Counter() for _ in self._columns]
        for counter, at in zip(counters, self._columns, strict=True):
            texts = [text for text in at.reasons if text != "{}"] if at else []
            for counts in _COUNTERS.decode(f"[{','.join(texts)}]"):
                counter.update(counts)
        return counters


def _unix_s(text: str) -> int:
    """Read a time as either database writes it: in UTC, with or without saying so."""
    at = datetime.fromisoformat(text)
    return int(at.replace(tzinfo=at.tzinfo or UTC).timestamp())


def _mean_tps(columns: Sequence[RollupColumns]) -> float | None:
    count = sum(sum(at.tps_count) for at in columns)
    return _rounded(sum(sum(at.tps_sum) for at in columns) / count) if count else None


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
