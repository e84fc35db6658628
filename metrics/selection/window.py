"""When requests started: `from` and `to`, or the last `hours`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Self

from django.db.models import Q
from django.utils import timezone

from metrics.selection import parsing
from metrics.selection.parameters import QueryParameter
from metrics.selection.parsing import SelectionError, given

if TYPE_CHECKING:
    from collections.abc import Mapping

MOST_HOURS = 87_600.0
_TIME = "ISO 8601, or Unix seconds."
TIME_PARAMETERS = (
    QueryParameter("from", f"Start of the range, inclusive: {_TIME}"),
    QueryParameter("to", f"End of the range, exclusive: {_TIME}"),
    QueryParameter(
        "hours",
        "The last so many hours; cannot be combined with `from` or `to`.",
        {"type": "number", "exclusiveMinimum": 0, "maximum": MOST_HOURS},
    ),
)
_HOURS_TEXTS = {1.0: "last hour", 24.0: "last 24 hours"}


@dataclass(frozen=True, slots=True)
class Window:
    """From `since` (inclusive) to `until` (exclusive), or the last `hours`."""

    since: datetime | None = None
    until: datetime | None = None
    hours: float | None = None

    @classmethod
    def parse(cls, params: Mapping[str, str]) -> Self:
        """Read the parameters, or raise `SelectionError`."""
        since = parsing.read_moment("from", given(params, "from"))
        until = parsing.read_moment("to", given(params, "to"))
        if since and until and since >= until:
            raise SelectionError("to", "must be later than from")
        hours = parsing.read_number("hours", given(params, "hours"), MOST_HOURS)
        if hours == 0:
            raise SelectionError("hours", "must be more than 0")
        if hours and (since or until):
            raise SelectionError("hours", "cannot be combined with from or to")
        return cls(since, until, hours)

    def to_params(self) -> dict[str, str]:
        """Return the parameters that `parse` reads as this window."""
        texts = {
            "hours": self.hours and parsing.write_number(self.hours),
            "from": self.since and parsing.write_moment(self.since),
            "to": self.until and parsing.write_moment(self.until),
        }
        return {name: text for name, text in texts.items() if text}

    def bounds(self) -> tuple[datetime | None, datetime | None]:
        """Return from when to when, as of now."""
        if self.hours is None:
            return self.since, self.until
        return timezone.now() - timedelta(hours=self.hours), None

    def condition(self, column: str) -> Q:
        """Return the condition on a column that holds a time."""
        since, until = self.bounds()
        found = Q()
        if since is not None:
            found &= Q((f"{column}__gte", since))
        if until is not None:
            found &= Q((f"{column}__lt", until))
        return found

    @property
    def text(self) -> str:
        """From when to when in words, with the date unless it is today."""
        if self.hours is not None:
            return _hours_text(self.hours)
        if self.since is None or self.until is None:
            since = f"since {_moment_text(self.since)}" if self.since else ""
            return since or (f"before {_moment_text(self.until)}" if self.until else "")
        first, last = timezone.localtime(self.since), timezone.localtime(self.until)
        is_one_day = first.date() == last.date()
        end = _clock(last) if is_one_day else _moment_text(self.until)
        return f"{_moment_text(self.since)} to {end}"


def _hours_text(hours: float) -> str:
    if hours in _HOURS_TEXTS:
        return _HOURS_TEXTS[hours]
    if hours >= 48 and hours % 24 == 0:
        return f"last {hours / 24:g} days"
    if hours < 1:
        return f"last {hours * 60:.3g} minutes"
    return f"last {hours:g} hours"


def _moment_text(at: datetime) -> str:
    local = timezone.localtime(at)
    today = timezone.localdate()
    if local.date() == today:
        return _clock(local)
    year = f" {local.year}" if local.year != today.year else ""
    return f"{local.day} {local:%b}{year} {_clock(local)}"


def _clock(local: datetime) -> str:
    if local.microsecond:
        return f"{local:%H:%M:%S}.{local.microsecond // 1000:03}"
    return f"{local:%H:%M:%S}" if local.second else f"{local:%H:%M}"
