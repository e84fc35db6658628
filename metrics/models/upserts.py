"""The one statement that the record writes a table with, made once and run for all rows.

`bulk_create` compiles its statement anew for every batch, column by column and row by
row; that took two thirds of the time of writing requests down. A row's values go
through their fields here only where a database needs them in another shape.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from django.db import connection, models

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

RowT = TypeVar("RowT", bound=models.Model)

# Whose values databases want in a shape of their own.
_SHAPED = (models.DateTimeField, models.JSONField)


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
    def _columns(self) -> tuple[tuple[str, models.Field[Any, Any] | None], ...]:
        """Each column's attribute, and its field where that has to shape the value."""
        fields = self.table._meta.concrete_fields  # noqa: SLF001 -- documented Django API
        return tuple(
            (field.attname, field if isinstance(field, _SHAPED) else None)
            for field in fields
            if not field.primary_key
        )

    @cached_property
    def _statement(self) -> str:
        table = connection.ops.quote_name(self.table._meta.db_table)  # noqa: SLF001 -- documented Django API
        names = self._quoted(name for name, _ in self._columns)
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
        columns = {
            field.attname: str(field.column)
            for field in self.table._meta.concrete_fields  # noqa: SLF001 -- documented Django API
        }
        return [connection.ops.quote_name(columns[name]) for name in names]

    def _values(self, row: RowT) -> tuple[Any, ...]:
        held = row.__dict__
        return tuple(
            held[name]
            if field is None
            else field.get_db_prep_save(held[name], connection)
            for name, field in self._columns
        )
