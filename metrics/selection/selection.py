"""A frozen choice of requests: owns what it means, in SQL, in a link and in words.

What it costs has a bound. At most one of the conditions (the anchor) is looked up in
an index by its column and time. All others sift the rows found so, newest first; a
page sifts no more than `SIFTED_ROWS` of them, back to the `horizon`, and says so.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Self

from django.db.models import Q

from inference.core.outcomes import Outcome
from metrics.selection.filters import CHOICES, FILTERS, SEARCH
from metrics.selection.window import TIME_PARAMETERS, Window

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from django.db.models import QuerySet

    from metrics.models import RequestLog

SIFTED_ROWS = 50_000
PARAMETERS = (
    *TIME_PARAMETERS,
    *(parameter for each in FILTERS.values() for parameter in each.parameters),
)


@dataclass(frozen=True, slots=True)
class Chip:
    """One condition in words, and the selection without it."""

    name: str
    text: str
    others: Selection


@dataclass(frozen=True, slots=True)
class Selection:
    """Which requests; without any condition it is all of them.

    `window` is about when a request started; `conditions` are the values of
    `FILTERS`, by their names.
    """

    window: Window = field(default_factory=Window)
    conditions: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def parse(cls, params: Mapping[str, str]) -> Self:
        """Read the parameters; those it does not know are left to others.

        Raises `SelectionError`, which names the parameter.
        """
        read = {name: each.read(params) for name, each in FILTERS.items()}
        conditions = {name: value for name, value in read.items() if value is not None}
        return cls(Window.parse(params), conditions)

    def to_params(self) -> dict[str, str]:
        """Return the parameters that `parse` reads as this selection."""
        params = self.window.to_params()
        for name, value in self.conditions.items():
            params |= FILTERS[name].write(value)
        return params

    @property
    def anchor(self) -> str | None:
        """The condition that an index answers: a column with a single value."""
        conditions = self.conditions
        single = {name for name in CHOICES if len(conditions.get(name, ())) == 1}
        if conditions.get("outcome") == (Outcome.FINISHED,) and len(single) > 1:
            single.discard("outcome")  # Most are: any other leaves fewer.
        fitting = (name for name, one in CHOICES.items() if one.is_indexed)
        return next((name for name in fitting if name in single), None)

    @property
    def is_sifted(self) -> bool:
        """Whether rows have to be looked at one by one."""
        if SEARCH.names_one(self.conditions.get(SEARCH.name, "")):
            return False
        return len(self.conditions) > (1 if self.anchor else 0)

    def apply(
        self, queryset: QuerySet[RequestLog], *, horizon: datetime | None = None
    ) -> QuerySet[RequestLog]:
        """Return those of `queryset` that it selects, in the order they had.

        With a `horizon`, only what started at or after it.
        """
        rows = self._anchored(queryset)
        if horizon is not None:
            rows = rows.filter(started_at__gte=horizon)
        for name, value in self.conditions.items():
            if name != self.anchor:
                rows = rows.filter(FILTERS[name].condition(value))
        return rows

    def horizon(
        self, queryset: QuerySet[RequestLog], *, sifted_rows: int | None = None
    ) -> datetime | None:
        """Ask how far back `sifted_rows` rows reach; `None` where nothing is left out.

        One query, answered by an index.
        """
        if not self.is_sifted:
            return None
        sifted_rows = SIFTED_ROWS if sifted_rows is None else sifted_rows
        # By nothing that the index does not hold: no row has to be fetched for it.
        newest = self._anchored(queryset).order_by("-started_at")
        reached = newest.values_list("started_at", flat=True)
        return next(iter(reached[sifted_rows : sifted_rows + 1]), None)

    def chips(self) -> list[Chip]:
        """Return each condition in words with the selection without it."""
        chips = []
        if self.window != Window():
            chips.append(Chip("time", self.window.text, replace(self, window=Window())))
        for name, value in self.conditions.items():
            others = {other: v for other, v in self.conditions.items() if other != name}
            text = FILTERS[name].text(value)
            chips.append(Chip(name, text, replace(self, conditions=others)))
        return chips

    @property
    def text(self) -> str:
        """The whole in words: outcomes first, the time last; empty for all requests."""
        ranks = {"outcome": -1, "time": 1}
        chips = sorted(self.chips(), key=lambda chip: ranks.get(chip.name, 0))
        return ", ".join(chip.text for chip in chips)

    def _anchored(self, queryset: QuerySet[RequestLog]) -> QuerySet[RequestLog]:
        rows = queryset.filter(self.window.condition("started_at"))
        if self.anchor is not None:
            (value,) = self.conditions[self.anchor]
            rows = rows.filter(Q((CHOICES[self.anchor].column, value)))
        return rows
