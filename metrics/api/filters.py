"""What a query asks for: requests by `metrics.selection`, other tables alike."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, TypeVar

from django.db.models import Model
from django.utils import timezone

from inference.core.errors import InvalidRequestError
from metrics.api.parameters import Parameter
from metrics.selection import CHOICES, RANGES, Selection, SelectionError
from metrics.selection.fields import PRESENCES, Choice
from metrics.selection.parsing import (
    MOST_HOURS,
    SEARCH_CHARACTERS,
    given,
    read_moment,
    read_number,
    read_values,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from django.db.models import QuerySet

ModelT = TypeVar("ModelT", bound=Model)

_TIME = "ISO 8601, or Unix seconds."
SPAN = (
    Parameter("from", f"Not before this time: {_TIME}"),
    Parameter("to", f"Before this time: {_TIME}"),
    Parameter(
        "hours",
        "Of the last so many hours; not together with `from` or `to`.",
        {"type": "number", "exclusiveMinimum": 0, "maximum": MOST_HOURS},
    ),
)


def selection_parameters() -> Iterator[Parameter]:
    """Yield everything that `metrics.selection` reads."""
    yield from SPAN
    for choice in CHOICES.values():
        yield choice_parameter(choice)
    for one in RANGES.values():
        kind = "integer" if one.is_whole else "number"
        schema = {"type": kind, "minimum": 0, "maximum": one.most}
        unit = f" ({one.unit})" if one.unit else ""
        yield Parameter(one.least_name, f"Least {one.label}{unit}.", schema)
        yield Parameter(one.most_name, f"Most {one.label}{unit}.", schema)
    for presence in PRESENCES.values():
        schema = {"type": "string", "enum": ["yes", "no"]}
        yield Parameter(presence.name, f"With {presence.label}, or without.", schema)
    text = "Part of the id, the error's text, the user or the session; any case."
    yield Parameter("q", text, {"type": "string", "maxLength": SEARCH_CHARACTERS})


def read_selection(query: Mapping[str, str]) -> Selection:
    """Return which requests are asked for.

    Raises:
        InvalidRequestError: a value means nothing.
    """
    try:
        return Selection.parse(query)
    except SelectionError as error:
        raise to_error(error) from None


@dataclass(frozen=True, slots=True)
class Filters:
    """The filters of another table, in the same words: a span, and some choices."""

    time_column: str
    choices: tuple[Choice, ...]

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """What may be asked for."""
        return (*SPAN, *(choice_parameter(choice) for choice in self.choices))

    def narrowed(
        self, rows: QuerySet[ModelT], query: Mapping[str, str]
    ) -> QuerySet[ModelT]:
        """Return the rows that are asked for.

        Raises:
            InvalidRequestError: a value means nothing.
        """
        try:
            return self._narrowed(rows, query)
        except SelectionError as error:
            raise to_error(error) from None

    def _narrowed(
        self, rows: QuerySet[ModelT], query: Mapping[str, str]
    ) -> QuerySet[ModelT]:
        since = read_moment("from", given(query, "from"))
        until = read_moment("to", given(query, "to"))
        hours = read_number("hours", given(query, "hours"), MOST_HOURS)
        if hours is not None and (since or until):
            raise SelectionError("hours", "cannot stand together with from or to")
        if hours is not None:
            since = timezone.now() - timedelta(hours=hours)
        if since is not None:
            rows = rows.filter(**{f"{self.time_column}__gte": since})
        if until is not None:
            rows = rows.filter(**{f"{self.time_column}__lt": until})
        for choice in self.choices:
            values = read_values(choice, given(query, choice.name))
            if values:
                rows = rows.filter(**{f"{choice.column}__in": values})
        return rows


def to_error(error: SelectionError) -> InvalidRequestError:
    """Return the error that a client sees."""
    return InvalidRequestError(
        f"Invalid '{error.param}': {error.message}.", param=error.param
    )


def choice_parameter(choice: Choice) -> Parameter:
    """Return the parameter that asks for values of a column."""
    words = f" Out of: {', '.join(choice.allowed)}." if choice.allowed else ""
    text = f"Which {choice.label}, or several between commas; `none` for the empty one."
    return Parameter(choice.name, text + words)
