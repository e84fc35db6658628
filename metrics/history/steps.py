"""How a range is cut into points: their length, and the level they are summed from."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from metrics.models import RollupLevel

MOST_POINTS = 400
DAY_S = 86_400
# A point's length in seconds: each a multiple of a level's, so that spans never
# straddle two points. Days follow three hours at once: six hours of three months, with
# many models and keys, are more sums than a page should wait for.
STEPS_S = (
    *(60, 300, 900, 3600, 10_800),
    *(DAY_S, 2 * DAY_S, 7 * DAY_S),
)
LONGEST = timedelta(seconds=STEPS_S[-1] * MOST_POINTS)


@dataclass(frozen=True, slots=True)
class ChartSpan:
    """A range in whole steps of Unix seconds, `end_s` exclusive."""

    start_s: int
    end_s: int
    step_s: int

    @property
    def level(self) -> RollupLevel:
        """The coarsest level whose spans fit into a step."""
        if self.step_s < 3600:
            return RollupLevel.MINUTE
        return RollupLevel.HOUR if self.step_s < DAY_S else RollupLevel.DAY

    @property
    def points(self) -> range:
        """Where each point begins."""
        return range(self.start_s, self.end_s, self.step_s)

    @property
    def start(self) -> datetime:
        """Where the first point begins."""
        return datetime.fromtimestamp(self.start_s, UTC)

    @property
    def end(self) -> datetime:
        """Where the last point ends."""
        return datetime.fromtimestamp(self.end_s, UTC)

    def coarsened(self, step_s: int) -> ChartSpan:
        """Return the same range in steps of at least `step_s`."""
        step_s = max(step_s, self.step_s)
        start_s = self.start_s // step_s * step_s
        end_s = -(-self.end_s // step_s) * step_s
        return replace(self, start_s=start_s, end_s=end_s, step_s=step_s)


def span_of(
    start: datetime, end: datetime, *, step_s: int | None = None, is_rolling: bool
) -> ChartSpan:
    """Return the range in its finest steps, or in `step_s` where they are longer.

    A rolling one ("the last 24 hours") keeps its length: the point in which it
    begins is left out, because the chart would show only a part of it.
    """
    length_s = end.timestamp() - start.timestamp()
    finest = next(step for step in STEPS_S if length_s <= step * MOST_POINTS)
    step_s = max(finest, step_s or 0)
    first_s = int(start.timestamp() // step_s) * step_s
    last_s = -int(-end.timestamp() // step_s) * step_s
    if is_rolling and last_s - first_s > max(length_s, step_s):
        first_s += step_s
    return ChartSpan(first_s, last_s, step_s)
