"""Pages of a table that grows: each begins after the last row of the one before.

Nothing is counted or skipped, so a page costs the same wherever it lies, and rows
that arrive meanwhile shift nothing.
"""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from django.db.models import Model, Q

from inference.core.errors import InvalidRequestError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from django.db.models import QuerySet

ModelT = TypeVar("ModelT", bound=Model)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_CURSOR_CHARS = 200
_ID_MOST = 2**63 - 1


@dataclass(frozen=True, slots=True)
class ApiPage(Generic[ModelT]):
    """Some rows, and where the next ones begin; `None`: there are no more."""

    rows: list[ModelT]
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class _Place:
    """A row's place in the order of a time column and the id."""

    at: datetime
    pk: int

    @classmethod
    def parse(cls, cursor: str) -> _Place:
        try:
            raw = base64.urlsafe_b64decode(cursor[:_CURSOR_CHARS].encode())
            micros, pk = json.loads(raw)
            at = _EPOCH + int(micros) * _MICROSECOND
            return cls(at, min(max(0, int(pk)), _ID_MOST))
        except (ValueError, TypeError, OverflowError, binascii.Error):
            raise InvalidRequestError(
                "'cursor' is the 'next_cursor' of an earlier page, unchanged.",
                param="cursor",
            ) from None

    def text(self) -> str:
        raw = json.dumps([(self.at - _EPOCH) // _MICROSECOND, self.pk])
        return base64.urlsafe_b64encode(raw.encode()).decode()


def after_cursor(
    rows: QuerySet[ModelT],
    query: Mapping[str, str],
    *,
    column: str,
    oldest_first: bool = False,
) -> QuerySet[ModelT]:
    """Return the rows in order, without those before the query's cursor.

    Raises:
        InvalidRequestError: the cursor is none.
    """
    cursor = query.get("cursor", "")
    if cursor:
        place = _Place.parse(cursor)
        rows = rows.filter(_beyond(place, column, oldest_first=oldest_first))
    sign = "" if oldest_first else "-"
    return rows.order_by(f"{sign}{column}", f"{sign}id")


def page_of(
    rows: QuerySet[ModelT],
    *,
    column: str,
    limit: int,
    horizon: datetime | None = None,
) -> ApiPage[ModelT]:
    """Return the first rows in one query, without counting the others.

    With a `horizon` the rows reach back to it only, and what lies before was not
    looked at: the next page begins there.
    """
    found = list(rows[: limit + 1])
    shown = found[:limit]
    if len(found) > limit:
        return ApiPage(shown, _place_of(shown[-1], column).text())
    if horizon is not None:
        return ApiPage(shown, _Place(horizon, 0).text())
    return ApiPage(shown, None)


def _beyond(place: _Place, column: str, *, oldest_first: bool) -> Q:
    sign = "gt" if oldest_first else "lt"
    after = Q((f"{column}__{sign}", place.at))
    beside = Q((column, place.at), (f"id__{sign}", place.pk))
    # Implied by the rest; the index needs it said plainly.
    return Q((f"{column}__{sign}e", place.at)) & (after | beside)


def _place_of(row: Any, column: str) -> _Place:
    return _Place(getattr(row, column), row.pk)
