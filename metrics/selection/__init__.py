"""Which requests: one set of filters for the list, charts, exports and the API."""

from __future__ import annotations

from metrics.selection.filters import CHOICES, FILTERS, PRESENCES, RANGES, SEARCH
from metrics.selection.parsing import SelectionError
from metrics.selection.selection import PARAMETERS, SIFTED_ROWS, Chip, Selection
from metrics.selection.window import TIME_PARAMETERS, Window

__all__ = [
    "CHOICES",
    "FILTERS",
    "PARAMETERS",
    "PRESENCES",
    "RANGES",
    "SEARCH",
    "SIFTED_ROWS",
    "TIME_PARAMETERS",
    "Chip",
    "Selection",
    "SelectionError",
    "Window",
]
