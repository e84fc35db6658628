"""What is asked of the history: a range of time, and whose figures.

The parameters are those of the list of requests, so that a link from a chart to its
rows carries them unchanged; `range` and `step` are the charts' own.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from math import isfinite
from typing import TYPE_CHECKING

from metrics.history.steps import LONGEST, STEPS_S, Span, span_of

if TYPE_CHECKING:
    from collections.abc import Mapping

RANGES = {
    "1h": timedelta(hours=1),
    "24h": timedelta(hours=24),
    "7d": timedelta(days=7),
    "30d": timedelta(days=30),
    "90d": timedelta(days=90),
}
DEFAULT_RANGE = "24h"
SHORTEST = timedelta(minutes=1)
# A parameter, and the column that it is about.
COLUMNS = {
    "model": "model",
    "endpoint": "endpoint",
    "key": "key_name",
    "node": "node",
}
MOST_VALUES = 50
FIRST_YEAR, LAST_YEAR = 1990, 9000
_MOMENT = "ISO 8601 (2026-11-20T14:30Z) or Unix seconds, from 1990 on"
EMPTY = "none"
_KNOWN = frozenset({"range", "from", "to", "hours", "step", *COLUMNS})


class BadParameterError(ValueError):
    """A parameter that cannot be honoured; says which, and what would be."""

    def __init__(self, parameter: str, message: str) -> None:
        super().__init__(f"{parameter}: {message}")
        self.parameter = parameter


@dataclass(frozen=True, slots=True)
class Asked:
    """A span of time, cut into steps, and the values that columns must have.

    `is_open` says that the range ends now: asked again later, it has moved on.
    """

    span: Span
    columns: dict[str, tuple[str, ...]] = field(default_factory=dict)
    is_open: bool = False


def read_asked(parameters: Mapping[str, str], *, now: datetime) -> Asked:
    """Return what `parameters` ask for; raise `BadParameterError` for nonsense."""
    for name in parameters:
        if name not in _KNOWN:
            known = ", ".join(sorted(_KNOWN))
            raise BadParameterError(name, f"not known here; there are {known}")
    start, end = _window(parameters, now)
    is_rolling = not parameters.get("from") and not parameters.get("to")
    step_s = _step_s(parameters)
    return Asked(
        span=span_of(start, end, step_s=step_s, is_rolling=is_rolling),
        columns=_columns(parameters),
        is_open=not parameters.get("to"),
    )


def _window(parameters: Mapping[str, str], now: datetime) -> tuple[datetime, datetime]:
    end = _moment(parameters, "to") or now
    start = _moment(parameters, "from") or end - _length(parameters)
    if start >= end:
        raise BadParameterError("from", "must be before `to`")
    if end - start < SHORTEST:
        start = end - SHORTEST
    if end - start > LONGEST:
        raise BadParameterError("from", f"the range is over {LONGEST.days} days")
    return start, end


def _length(parameters: Mapping[str, str]) -> timedelta:
    if given := parameters.get("hours"):
        hours = _number("hours", given)
        if not 0 < hours <= LONGEST / timedelta(hours=1):
            raise BadParameterError("hours", f"up to {LONGEST.days * 24}, over 0")
        return timedelta(hours=hours)
    name = parameters.get("range") or DEFAULT_RANGE
    if name not in RANGES:
        raise BadParameterError("range", f"one of {', '.join(RANGES)}")
    return RANGES[name]


def _moment(parameters: Mapping[str, str], name: str) -> datetime | None:
    given = parameters.get(name, "").strip()
    if not given:
        return None
    try:
        moment = (
            datetime.fromtimestamp(float(given), UTC)
            if given.replace(".", "", 1).isdigit()
            else datetime.fromisoformat(given)
        )
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        moment = moment.astimezone(UTC)
    except (ValueError, OverflowError, OSError):
        raise BadParameterError(name, _MOMENT) from None
    # Room at both ends of the calendar, for what is reckoned with it.
    if not FIRST_YEAR <= moment.year < LAST_YEAR:
        raise BadParameterError(name, _MOMENT)
    return moment


def _step_s(parameters: Mapping[str, str]) -> int | None:
    given = parameters.get("step")
    if not given:
        return None
    step_s = _number("step", given)
    if step_s not in STEPS_S:
        offered = ", ".join(map(str, STEPS_S))
        raise BadParameterError("step", f"seconds, one of {offered}")
    return int(step_s)


def _number(name: str, given: str) -> float:
    try:
        number = float(given)
    except ValueError:
        number = float("nan")
    if not isfinite(number):
        raise BadParameterError(name, "not a number")
    return number


def _columns(parameters: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    columns = {}
    for name, column in COLUMNS.items():
        values = [value.strip() for value in parameters.get(name, "").split(",")]
        wanted = tuple("" if value == EMPTY else value for value in values if value)
        if len(wanted) > MOST_VALUES:
            raise BadParameterError(name, f"at most {MOST_VALUES} values")
        if any("\0" in value for value in wanted):
            raise BadParameterError(name, "holds a NUL character")
        if wanted:
            columns[column] = wanted
    return columns
