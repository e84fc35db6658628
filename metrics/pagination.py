"""Pages of a big table without counting it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

from django.core.paginator import Paginator
from django.db.models import Q

if TYPE_CHECKING:
    from django.db.models import QuerySet

    from metrics.models import RequestLog

    PaginatorBase = Paginator[Any]
else:
    PaginatorBase = Paginator

COUNT_LIMIT = 10_000
_CURSOR = re.compile(r"(\d{1,16})-(\d{1,18})")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class CursorError(ValueError):
    """A text that is no place in a list."""


@dataclass(frozen=True, slots=True)
class Cursor:
    """A place in the list of requests, newest first: right at one row."""

    at: datetime
    pk: int

    @classmethod
    def of(cls, row: RequestLog) -> Self:
        """Return the place of a row."""
        return cls(row.started_at, row.pk)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read what `str` wrote."""
        match = _CURSOR.fullmatch(text)
        if match is None:
            raise CursorError
        try:
            at = _EPOCH + int(match[1]) * _MICROSECOND
        except OverflowError:
            raise CursorError from None
        return cls(at, int(match[2]))

    def __str__(self) -> str:
        return f"{(self.at - _EPOCH) // _MICROSECOND}-{self.pk}"

    def older(self, rows: QuerySet[RequestLog]) -> QuerySet[RequestLog]:
        """Return the rows behind this place, newest first."""
        is_behind = Q(started_at__lt=self.at) | Q(pk__lt=self.pk)
        # The first condition alone leads into the index.
        rows = rows.filter(started_at__lte=self.at).filter(is_behind)
        return rows.order_by("-started_at", "-id")

    def newer(self, rows: QuerySet[RequestLog]) -> QuerySet[RequestLog]:
        """Return the rows before this place, the nearest (oldest) first."""
        is_before = Q(started_at__gt=self.at) | Q(pk__gt=self.pk)
        rows = rows.filter(started_at__gte=self.at).filter(is_before)
        return rows.order_by("started_at", "id")


@dataclass(frozen=True, slots=True)
class Page:
    """Some rows, newest first, and where the pages beside them begin."""

    rows: list[RequestLog]
    newer: Cursor | None = None
    older: Cursor | None = None

    @classmethod
    def newest(cls, rows: QuerySet[RequestLog], size: int) -> Self:
        """Return the first page."""
        found = list(rows.order_by("-started_at", "-id")[: size + 1])
        return cls(found[:size], older=_last(found, size))

    @classmethod
    def behind(cls, place: Cursor, rows: QuerySet[RequestLog], size: int) -> Self:
        """Return the page of what is older than `place`."""
        found = list(place.older(rows)[: size + 1])
        first = Cursor.of(found[0]) if found else Cursor(place.at, place.pk - 1)
        return cls(found[:size], newer=first, older=_last(found, size))

    @classmethod
    def before(cls, place: Cursor, rows: QuerySet[RequestLog], size: int) -> Self:
        """Return the page of what is newer than `place`; the first if it is short."""
        found = list(place.newer(rows)[: size + 1])
        if len(found) <= size:
            return cls.newest(rows, size)
        shown = found[:size][::-1]
        return cls(shown, newer=Cursor.of(shown[0]), older=Cursor.of(shown[-1]))


def _last(found: list[RequestLog], size: int) -> Cursor | None:
    return Cursor.of(found[size - 1]) if len(found) > size else None


def counted(rows: QuerySet[Any]) -> int:
    """Count rows, but never more than one beyond `COUNT_LIMIT`."""
    return rows.order_by()[: COUNT_LIMIT + 1].count()


class LimitedPaginator(PaginatorBase):
    """Counts no further than `COUNT_LIMIT` rows, and shows no page beyond them.

    The cost of a page so has a bound, however long the server has run; filters
    (time above all) lead to older rows.
    """

    object_list: QuerySet[Any]

    @cached_property
    def count(self) -> int:
        """How many rows can be reached."""
        return min(self._counted, COUNT_LIMIT)

    @property
    def has_more(self) -> bool:
        """Whether there are rows that cannot be reached."""
        return self._counted > COUNT_LIMIT

    @cached_property
    def _counted(self) -> int:
        return counted(self.object_list)
