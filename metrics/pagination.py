"""Pages of a big table without counting it."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from django.core.paginator import Paginator

if TYPE_CHECKING:
    from django.db.models import QuerySet

    PaginatorBase = Paginator[Any]
else:
    PaginatorBase = Paginator

COUNT_LIMIT = 10_000


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
        return self.object_list[: COUNT_LIMIT + 1].count()
