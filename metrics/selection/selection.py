"""A frozen choice of requests: owns what it means, in SQL, in a link and in words.

What it costs has a bound. At most one of the conditions (the anchor) is looked up in
an index by its column and time. All others sift the rows found so, newest first; a
page sifts no more than `SIFTED_ROWS` of them, back to the `horizon`, and says so.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Self

from django.db.models import F, Q, Value
from django.db.models.functions import Coalesce
from django.db.models.lookups import In
from django.utils import timezone

from metrics.selection import parsing, wording
from metrics.selection.fields import CHOICES, PRESENCES, RANGES
from metrics.selection.parsing import SelectionError, given

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from django.db.models import QuerySet

    from metrics.models import RequestLog

    Ends = tuple[float | None, float | None]

SIFTED_ROWS = 50_000
_REQUEST_ID = re.compile(r"req-[0-9a-f]{32}")
_SEARCHED = ("request_id", "error", "user", "session_id")


@dataclass(frozen=True, slots=True)
class Chip:
    """One condition in words, and the selection without it."""

    name: str
    words: str
    others: Selection


@dataclass(frozen=True, slots=True)
class Selection:
    """Which requests; without any condition it is all of them.

    `since` is inclusive, `until` exclusive; both are about when a request started.
    """

    since: datetime | None = None
    until: datetime | None = None
    hours: float | None = None
    choices: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    ranges: Mapping[str, Ends] = field(default_factory=dict)
    presences: Mapping[str, bool] = field(default_factory=dict)
    text: str = ""

    @classmethod
    def parse(cls, params: Mapping[str, str]) -> Self:
        """Read the parameters; those it does not know are left to others.

        Raises `SelectionError`, which names the parameter.
        """
        since = parsing.read_moment("from", given(params, "from"))
        until = parsing.read_moment("to", given(params, "to"))
        if since and until and since >= until:
            raise SelectionError("to", "must be later than from")
        hours = parsing.read_number("hours", given(params, "hours"), parsing.MOST_HOURS)
        if hours == 0:
            raise SelectionError("hours", "must be more than 0")
        if hours and (since or until):
            raise SelectionError("hours", "cannot stand together with from or to")
        return cls(
            since=since,
            until=until,
            hours=hours,
            choices=_read_choices(params),
            ranges=_read_ranges(params),
            presences=_read_presences(params),
            text=parsing.read_search("q", given(params, "q")),
        )

    def to_params(self) -> dict[str, str]:
        """Return the parameters that `parse` reads as this selection."""
        params = {}
        if self.hours is not None:
            params["hours"] = parsing.write_number(self.hours)
        if self.since is not None:
            params["from"] = parsing.write_moment(self.since)
        if self.until is not None:
            params["to"] = parsing.write_moment(self.until)
        for name, values in self.choices.items():
            params[name] = parsing.write_values(values)
        for name, (least, most) in self.ranges.items():
            if least is not None:
                params[RANGES[name].least_name] = parsing.write_number(least)
            if most is not None:
                params[RANGES[name].most_name] = parsing.write_number(most)
        for name, is_there in self.presences.items():
            params[name] = "yes" if is_there else "no"
        return params | ({"q": self.text} if self.text else {})

    @property
    def anchor(self) -> str | None:
        """The condition that an index answers: a column with a single value."""
        single = {name for name, values in self.choices.items() if len(values) == 1}
        fitting = (name for name, one in CHOICES.items() if one.is_indexed)
        return next((name for name in fitting if name in single), None)

    @property
    def names_one(self) -> bool:
        """Whether it asks for a single request by its whole id."""
        return bool(_REQUEST_ID.fullmatch(self.text))

    @property
    def is_sifted(self) -> bool:
        """Whether rows have to be looked at one by one."""
        indexed = 1 if self.anchor else 0
        is_searched = bool(self.text) and not self.names_one
        other = len(self.choices) - indexed + len(self.ranges) + len(self.presences)
        return not self.names_one and (is_searched or other > 0)

    def apply(
        self, queryset: QuerySet[RequestLog], *, horizon: datetime | None = None
    ) -> QuerySet[RequestLog]:
        """Return those of `queryset` that it selects, in the order they had.

        With a `horizon`, only what started at or after it.
        """
        rows = self._anchored(queryset)
        if horizon is not None:
            rows = rows.filter(started_at__gte=horizon)
        for name, values in self.choices.items():
            if name != self.anchor:
                rows = rows.filter(_is_among(CHOICES[name].column, values))
        for name, (least, most) in self.ranges.items():
            ends = {f"{name}__gte": least, f"{name}__lte": most}
            rows = rows.filter(**{end: n for end, n in ends.items() if n is not None})
        for name, is_there in self.presences.items():
            nothing = Q((name, PRESENCES[name].nothing))
            rows = rows.filter(~nothing if is_there else nothing)
        return rows.filter(self._search())

    def horizon(
        self, queryset: QuerySet[RequestLog], *, sifted_rows: int = SIFTED_ROWS
    ) -> datetime | None:
        """Ask how far back `sifted_rows` rows reach; `None` where nothing is left out.

        One query, answered by an index.
        """
        if not self.is_sifted:
            return None
        newest = self._anchored(queryset).order_by("-started_at", "-id")
        reached = newest.values_list("started_at", flat=True)
        return next(iter(reached[sifted_rows : sifted_rows + 1]), None)

    def window(self) -> tuple[datetime | None, datetime | None]:
        """Return from when to when, as of now."""
        if self.hours is None:
            return self.since, self.until
        return timezone.now() - timedelta(hours=self.hours), None

    def chips(self) -> list[Chip]:
        """Return each condition in words with the selection without it."""
        chips = []
        if self.hours is not None or self.since or self.until:
            others = replace(self, hours=None, since=None, until=None)
            chips.append(Chip("time", self._time_words(), others))
        for name, values in self.choices.items():
            words = wording.choice_words(CHOICES[name], values)
            others = replace(self, choices=_without(self.choices, name))
            chips.append(Chip(name, words, others))
        for name, ends in self.ranges.items():
            words = wording.range_words(RANGES[name], *ends)
            others = replace(self, ranges=_without(self.ranges, name))
            chips.append(Chip(name, words, others))
        for name, is_there in self.presences.items():
            words = f"{'with' if is_there else 'without'} {PRESENCES[name].label}"
            others = replace(self, presences=_without(self.presences, name))
            chips.append(Chip(name, words, others))
        if self.text:
            chips.append(Chip("q", f"“{self.text}”", replace(self, text="")))
        return chips

    @property
    def words(self) -> str:
        """The whole in words: outcomes first, the time last; empty for all requests."""
        ranks = {"outcome": -1, "time": 1}
        chips = sorted(self.chips(), key=lambda chip: ranks.get(chip.name, 0))
        return ", ".join(chip.words for chip in chips)

    def _time_words(self) -> str:
        if self.hours is not None:
            return wording.hours_words(self.hours)
        return wording.time_words(self.since, self.until)

    def _anchored(self, queryset: QuerySet[RequestLog]) -> QuerySet[RequestLog]:
        since, until = self.window()
        rows = queryset
        if since is not None:
            rows = rows.filter(started_at__gte=since)
        if until is not None:
            rows = rows.filter(started_at__lt=until)
        if self.anchor is not None:
            column, (value,) = CHOICES[self.anchor].column, self.choices[self.anchor]
            rows = rows.filter(Q((column, value)))
        return rows

    def _search(self) -> Q:
        if self.names_one:
            return Q(request_id=self.text)
        if not self.text:
            return Q()
        found = Q()
        for column in _SEARCHED:
            found |= Q((f"{column}__icontains", self.text))
        return found


def _is_among(column: str, values: tuple[str, ...]) -> In:
    """Return the condition in a form that no index answers.

    Without statistics SQLite may take the index of the wrong column, and walk
    through a million rows in it.
    """
    return In(Coalesce(F(column), Value("")), values)


def _without(conditions: Mapping[str, Any], name: str) -> dict[str, Any]:
    return {other: value for other, value in conditions.items() if other != name}


def _read_choices(params: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    read = {
        name: parsing.read_values(choice, given(params, name))
        for name, choice in CHOICES.items()
    }
    return {name: values for name, values in read.items() if values}


def _read_ranges(params: Mapping[str, str]) -> dict[str, Ends]:
    ranges: dict[str, Ends] = {}
    for name, one in RANGES.items():
        read = parsing.read_whole if one.is_whole else parsing.read_number
        least = read(one.least_name, given(params, one.least_name), one.most)
        most = read(one.most_name, given(params, one.most_name), one.most)
        if least is not None and most is not None and least > most:
            message = f"must not be less than {one.least_name}"
            raise SelectionError(one.most_name, message)
        if least is not None or most is not None:
            ranges[name] = least, most
    return ranges


def _read_presences(params: Mapping[str, str]) -> dict[str, bool]:
    read = {name: parsing.read_flag(name, given(params, name)) for name in PRESENCES}
    return {name: value for name, value in read.items() if value is not None}
