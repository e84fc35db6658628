"""Pages of a big table without counting it."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from django.core.paginator import Paginator

COUNT_LIMIT = 10_000


class LimitedPaginator(Paginator[Any]):
    """Counts no further than `COUNT_LIMIT` rows, and shows no page beyond them.

    The cost of a page so has a bound, however long the server has run; filters
    (time above all) lead to older rows.
    """

    @cached_property
    def count(self) -> int:  # type: ignore[override]
        """How many rows there are, or the limit where there are more."""
        return int(self.object_list[: COUNT_LIMIT + 1].count())
