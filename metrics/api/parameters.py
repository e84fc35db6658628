"""How much of a list is asked for, and in which order."""

from __future__ import annotations

from typing import TYPE_CHECKING

from metrics.selection import SelectionError
from metrics.selection.parameters import QueryParameter

if TYPE_CHECKING:
    from collections.abc import Mapping

LIMIT_DEFAULT, LIMIT_MOST = 100, 1000


LIMIT = QueryParameter(
    "limit",
    "Page size.",
    {
        "type": "integer",
        "minimum": 1,
        "maximum": LIMIT_MOST,
        "default": LIMIT_DEFAULT,
    },
)
CURSOR = QueryParameter(
    "cursor", "`next_cursor` of the previous page; other parameters unchanged."
)
ORDER = QueryParameter(
    "order",
    "Sort order.",
    {"type": "string", "enum": ["newest", "oldest"], "default": "newest"},
)


def read_limit(query: Mapping[str, str]) -> int:
    """Return the page's length."""
    text = query.get("limit", "") or str(LIMIT_DEFAULT)
    number = int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0
    if not 1 <= number <= LIMIT_MOST:
        raise SelectionError("limit", f"must be a whole number from 1 to {LIMIT_MOST}")
    return number
