"""Which part of the history: a range of time in points, and whose figures.

The parameters are those of the list of requests, so that a link from a chart to its
rows carries them unchanged; `range` and `step` are the charts' own.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Self

from metrics.history.steps import LONGEST, STEPS_S, ChartSpan, span_of
from metrics.selection import TIME_PARAMETERS, SelectionError, Window
from metrics.selection.filters import SUMMED_CHOICES, read_choices
from metrics.selection.parameters import QueryParameter, check_names, read_choice

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

RANGES = {
    "1h": timedelta(hours=1),
    "24h": timedelta(hours=24),
    "7d": timedelta(days=7),
    "30d": timedelta(days=30),
    "90d": timedelta(days=90),
}
DEFAULT_RANGE = "24h"
SHORTEST = timedelta(minutes=1)
RANGE = QueryParameter(
    "range",
    "Up to now; used without `from` and `hours`.",
    {"type": "string", "enum": list(RANGES), "default": DEFAULT_RANGE},
)
STEP = QueryParameter(
    "step",
    "Minimum seconds between two points; the default depends on the range.",
    {"type": "integer", "enum": list(STEPS_S)},
)
PARAMETERS = (
    RANGE,
    STEP,
    *TIME_PARAMETERS,
    *(parameter for each in SUMMED_CHOICES for parameter in each.parameters),
)
_NAMES = {parameter.name for parameter in PARAMETERS}


@dataclass(frozen=True, slots=True)
class HistoryQuery:
    """A span of time, cut into steps, and the values of the choices.

    `is_open` says that the range ends now: asked again later, it has moved on.
    """

    span: ChartSpan
    choices: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    is_open: bool = False

    @classmethod
    def parse(cls, params: Mapping[str, str], *, now: datetime) -> Self:
        """Read the parameters; raise `InvalidRequestError`, which names the wrong one."""
        check_names(params, _NAMES)
        window = Window.parse(params)
        length = RANGES[read_choice(params, RANGE)]
        step = read_choice(params, STEP)
        start, end = _ends(window, length, now)
        span = span_of(
            start,
            end,
            step_s=int(step) if step else None,
            is_rolling=not (window.since or window.until),
        )
        return cls(span, read_choices(params, SUMMED_CHOICES), not window.until)


def _ends(
    window: Window, length: timedelta, now: datetime
) -> tuple[datetime, datetime]:
    if window.hours is not None:
        length = timedelta(hours=window.hours)
    end = window.until or now
    start = window.since or end - length
    if start >= end:
        raise SelectionError("from", "must lie in the past")
    if end - start > LONGEST:
        name = "hours" if window.hours else "from"
        raise SelectionError(name, f"the range is over {LONGEST.days:,} days")
    return min(start, end - SHORTEST), end
