"""Counts in fixed buckets: mergeable over time, models and servers.

The bounds are vLLM's, so that its dashboards read `/metrics`, and the same on every
database. A histogram is a list with one count per bound and one for what lies above
the last: `counts[i]` values were at most `bounds[i]` and above the bound before.
"""

from __future__ import annotations

from bisect import bisect_left
from itertools import accumulate, zip_longest
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

# Upper bounds in seconds.
TTFT_S = (
    *(0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5),
    *(5.0, 7.5, 10.0, 20.0, 40.0, 80.0, 160.0, 640.0, 2560.0),
)
INTER_TOKEN_S = (
    *(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4),
    *(0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0, 20.0, 40.0, 80.0),
)
# Also those of the wait in the queue.
TOTAL_S = (
    *(0.05, 0.1, 0.2, 0.3, 0.5, 0.8, 1.0, 1.5, 2.0, 2.5, 5.0, 10.0, 15.0, 20.0, 30.0),
    *(40.0, 50.0, 60.0, 120.0, 240.0, 480.0, 960.0, 1920.0, 7680.0),
)


def bucket_of(value: float, bounds: Sequence[float]) -> int:
    """Return the index of the bucket that `value` falls into."""
    return bisect_left(bounds, value)


def counted(values: Iterable[float], bounds: Sequence[float]) -> list[int]:
    """Return the histogram of `values`."""
    counts = [0] * (len(bounds) + 1)
    for value in values:
        counts[bucket_of(value, bounds)] += 1
    return counts


def merged(*histograms: Sequence[int]) -> list[int]:
    """Return the histogram of everything in `histograms`; an empty one adds nothing."""
    return [sum(column) for column in zip_longest(*histograms, fillvalue=0)]


def quantile(
    counts: Sequence[int], bounds: Sequence[float], share: float
) -> float | None:
    """Return the value that `share` of all values do not exceed; `None` for none.

    Interpolated within its bucket, as Prometheus does; what lies above the last
    bound counts as that bound.
    """
    total = sum(counts)
    if not total:
        return None
    rank = share * total
    sums = list(accumulate(counts))
    at = bisect_left(sums, rank)
    if at >= len(bounds):
        return bounds[-1]
    below = bounds[at - 1] if at else 0.0
    before = sums[at - 1] if at else 0
    inside = (rank - before) / counts[at] if counts[at] else 1.0
    return below + (bounds[at] - below) * inside
