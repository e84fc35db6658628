"""Filters of rollups and events: a span of time, and words in columns.

The words and their meaning are those of `metrics.selection`, which reads the
filters of requests.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, TypeVar

from django.db.models import Model
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from inference.core.errors import InvalidRequestError
from metrics.api.parameters import Parameter

if TYPE_CHECKING:
    from collections.abc import Mapping

    from django.db.models import QuerySet

ModelT = TypeVar("ModelT", bound=Model)

HOURS_MOST = 24.0 * 366 * 10
WORDS_MOST = 50
NONE = "none"

SPAN = (
    Parameter("from", "Not before: ISO 8601, or Unix seconds."),
    Parameter("to", "Before: ISO 8601, or Unix seconds."),
    Parameter(
        "hours",
        "Of the last so many hours.",
        {"type": "number", "exclusiveMinimum": 0, "maximum": HOURS_MOST},
    ),
)


@dataclass(frozen=True, slots=True)
class Filters:
    """The filters of one table: `words` are columns by the parameter's name."""

    time_column: str
    words: Mapping[str, str]

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """What may be asked for."""
        return (*SPAN, *(Parameter(name, _words_text(name)) for name in self.words))

    def narrowed(
        self, rows: QuerySet[ModelT], query: Mapping[str, str]
    ) -> QuerySet[ModelT]:
        """Return the rows that are asked for.

        Raises:
            InvalidRequestError: a value means nothing.
        """
        conditions = {}
        if query.get("from"):
            conditions[f"{self.time_column}__gte"] = read_time(query["from"], "from")
        if query.get("to"):
            conditions[f"{self.time_column}__lt"] = read_time(query["to"], "to")
        if query.get("hours"):
            since = timezone.now() - timedelta(hours=_read_hours(query["hours"]))
            rows = rows.filter(**{f"{self.time_column}__gte": since})
        for name, column in self.words.items():
            if query.get(name):
                words = read_words(query[name], name)
                rows = rows.filter(**{f"{column}__in": words})
        return rows.filter(**conditions)


def read_time(text: str, name: str) -> datetime:
    """Return the time that is meant, in UTC where it says no zone."""
    try:
        seconds = float(text)
    except ValueError:
        # A plus in an address that was not encoded arrives as a space.
        return _read_iso(text.replace(" ", "+") if "T" in text else text, name)
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        raise _no_time(name) from None


def read_words(text: str, name: str) -> list[str]:
    """Return the values in a comma-separated list; `none` stands for the empty one."""
    words = [word.strip() for word in text.split(",") if word.strip()]
    if len(words) > WORDS_MOST or "\x00" in text:
        raise InvalidRequestError(
            f"'{name}' takes up to {WORDS_MOST} values, separated by commas.",
            param=name,
        )
    return ["" if word == NONE else word for word in words]


def _read_iso(text: str, name: str) -> datetime:
    try:
        moment = parse_datetime(text)
        if moment is not None:
            zoned = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
            return zoned.astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise _no_time(name)


def _no_time(name: str) -> InvalidRequestError:
    return InvalidRequestError(
        f"'{name}' is a time such as 2026-11-27T13:00:00Z, or Unix seconds.",
        param=name,
    )


def _read_hours(text: str) -> float:
    try:
        hours = float(text)
    except ValueError:
        hours = math.nan
    if not 0 < hours <= HOURS_MOST:
        raise InvalidRequestError(
            f"'hours' is a number above 0, up to {HOURS_MOST:g}.", param="hours"
        )
    return hours


def _words_text(name: str) -> str:
    return f"Only these: values of {name}, separated by commas; `none`: the empty one."
