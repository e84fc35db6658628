"""Which requests: one set of parameters for the list, charts, exports and the API."""

from __future__ import annotations

from metrics.selection.fields import CHOICES, NAMES, RANGES
from metrics.selection.parsing import SelectionError
from metrics.selection.selection import SIFTED_ROWS, Chip, Selection

__all__ = [
    "CHOICES",
    "NAMES",
    "RANGES",
    "SIFTED_ROWS",
    "Chip",
    "Selection",
    "SelectionError",
]
