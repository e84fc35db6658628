"""The one statement that the record writes a table with, made once and run for all rows.

`bulk_create` compiles its statement anew for every batch, column by column and row by
row; that took two thirds of the time of writing requests down. A row's values go
through their fields here only where a database needs them in another shape.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from django.db import connection, models

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from json import JSONEncoder

RowT = TypeVar("RowT", bound=models.Model)


@dataclass(frozen=True)
class Upsert(Generic[RowT]):
    """Writes unsaved rows of `table`, over those with the same `unique` columns.

    What stands there keeps all but the columns of `over`; without any, it stays as it
    is; with `only_if_greater` it does so where the new value of that column is not
    greater. For tables whose values fit their columns (`metrics.models.fitting`).
    """

    table: type[RowT]
    unique: Sequence[str]
    over: Sequence[str] = ()
    only_if_greater: str = ""

    def write(self, rows: Iterable[RowT]) -> int:
        """Write the rows, in order; return how many were."""
        values = [self._values(row) for row in rows]
        if not values:
            return 0
        with connection.cursor() as cursor:
            cursor.executemany(self._statement, values)
            return int(cursor.rowcount)

    @cached_property
    def _fields(self) -> list[models.Field[Any, Any]]:
        fields = self.table._meta.concrete_fields  # noqa: SLF001 -- documented Django API
        return [field for field in fields if not field.primary_key]

    @cached_property
    def _held(self) -> Callable[[RowT], tuple[Any, ...]]:
        return attrgetter(*(field.attname for field in self._fields))

    @cached_property
    def _shapes(self) -> list[tuple[int, Callable[[Any], Any]]]:
        """Where values are that a database wants in a shape of its own, and which."""
        shapes = ((place, _shape(field)) for place, field in enumerate(self._fields))
        return [(place, shape) for place, shape in shapes if shape is not None]

    @cached_property
    def _statement(self) -> str:
        table = connection.ops.quote_name(self.table._meta.db_table)  # noqa: SLF001 -- documented Django API
        names = self._quoted(field.attname for field in self._fields)
        return (
            f"INSERT INTO {table} ({', '.join(names)}) "  # noqa: S608 -- names of our own tables
            f"VALUES ({', '.join(['%s'] * len(names))}) "
            f"ON CONFLICT ({', '.join(self._quoted(self.unique))}) "
            f"DO {self._change(table)}"
        )

    def _change(self, table: str) -> str:
        if not self.over:
            return "NOTHING"
        names = self._quoted(self.over)
        change = ", ".join(f"{name} = EXCLUDED.{name}" for name in names)
        if not self.only_if_greater:
            return f"UPDATE SET {change}"
        (name,) = self._quoted([self.only_if_greater])
        return f"UPDATE SET {change} WHERE {table}.{name} < EXCLUDED.{name}"

    def _quoted(self, names: Iterable[str]) -> list[str]:
        """Return the columns of fields, as a statement names them."""
        columns = {field.attname: str(field.column) for field in self._fields}
        return [connection.ops.quote_name(columns[name]) for name in names]

    def _values(self, row: RowT) -> list[Any]:
        values = list(self._held(row))
        for place, shape in self._shapes:
            if values[place] is not None:
                values[place] = shape(values[place])
        return values


def _shape(field: models.Field[Any, Any]) -> Callable[[Any], Any] | None:
    if isinstance(field, models.DateTimeField):
        return _moment
    if isinstance(field, models.JSONField):
        return _json(field.encoder)
    return None


def _moment(value: Any) -> Any:
    return connection.ops.adapt_datetimefield_value(value)


def _json(encoder: type[JSONEncoder] | None) -> Callable[[Any], Any]:
    # Most are empty, and these are the same in every row of a database.
    empty: dict[tuple[str, type], Any] = {}

    def shape(value: Any) -> Any:
        if value:
            return connection.ops.adapt_json_value(value, encoder)
        kind = (connection.vendor, type(value))
        if kind not in empty:
            empty[kind] = connection.ops.adapt_json_value(value, encoder)
        return empty[kind]

    return shape
