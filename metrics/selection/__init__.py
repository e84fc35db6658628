"""Which requests: one set of parameters for the list, charts, exports and the API."""

from __future__ import annotations

from metrics.selection.fields import CHOICES, NAMES, PRESENCES, RANGES
from metrics.selection.parsing import SelectionError
from metrics.selection.selection import SIFTED_ROWS, Chip, Selection
from metrics.selection.wording import value_words

__all__ = [
    "CHOICES",
    "NAMES",
    "PRESENCES",
    "RANGES",
    "SIFTED_ROWS",
    "Chip",
    "Selection",
    "SelectionError",
    "value_words",
]
