"""The filters of other tables than the requests': when, and some of the choices."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from django.db.models import Model

from metrics.selection import TIME_PARAMETERS, Window
from metrics.selection.filters import ChoiceFilter, read_choices

if TYPE_CHECKING:
    from collections.abc import Mapping

    from django.db.models import QuerySet

    from metrics.selection.parameters import QueryParameter

ModelT = TypeVar("ModelT", bound=Model)


@dataclass(frozen=True, slots=True)
class TableFilters:
    """What a table can be narrowed by."""

    time_column: str
    choices: tuple[ChoiceFilter, ...]

    @property
    def parameters(self) -> tuple[QueryParameter, ...]:
        """What may be asked for."""
        chosen = (each for choice in self.choices for each in choice.parameters)
        return (*TIME_PARAMETERS, *chosen)

    def narrowed(
        self, rows: QuerySet[ModelT], query: Mapping[str, str]
    ) -> QuerySet[ModelT]:
        """Return the rows that are asked for.

        Raises:
            SelectionError: a value means nothing.
        """
        rows = rows.filter(Window.parse(query).condition(self.time_column))
        values = read_choices(query, self.choices)
        columns = {choice.name: choice.column for choice in self.choices}
        return rows.filter(
            **{f"{columns[name]}__in": among for name, among in values.items()}
        )
