"""From a published value to columns: what every database is able to store.

Texts are cut to their columns and lose their NUL characters (PostgreSQL takes
neither), so that no client can make a row that the record has to refuse.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from django.db import models


def moment(unix_s: float | None) -> datetime | None:
    """Return Unix seconds as an aware UTC time."""
    return None if unix_s is None else datetime.fromtimestamp(unix_s, UTC)


def fitted_values(table: type[models.Model], value: msgspec.Struct) -> dict[str, Any]:
    """Return the fields of `value` as values for the columns of `table`."""
    limits = _limits(table)
    values = msgspec.structs.asdict(value)
    for name, given in values.items():
        if not given:  # Most are nothing, and that fits everywhere.
            continue
        if isinstance(given, str):
            values[name] = given.replace("\0", "\ufffd")[: limits[name]]
        elif isinstance(given, (dict, list, tuple)):
            values[name] = without_nul(given)
    return values


@cache
def _limits(table: type[models.Model]) -> dict[str, int | None]:
    """Return how many characters each column holds; `None` for any number."""
    fields = table._meta.concrete_fields  # noqa: SLF001 -- documented Django API
    return {field.attname: getattr(field, "max_length", None) for field in fields}


def without_nul(value: Any) -> Any:
    """Return JSON data with every NUL replaced, keys included, and tuples as lists."""
    if isinstance(value, str):
        return value.replace("\0", "\ufffd")
    if isinstance(value, dict):
        return {without_nul(key): without_nul(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [without_nul(item) for item in value]
    return value


def fitted_text(table: type[models.Model], column: str, text: str) -> str:
    """Return `text` as `column` of `table` can hold it."""
    return text.replace("\0", "\ufffd")[: _limits(table)[column]]
