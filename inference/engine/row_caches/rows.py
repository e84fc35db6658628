"""The caches of the rows that run through a model together, of whatever kind they are.

A lone row keeps the model's own caches. Rows whose layers all hold plain keys and
values, and nothing else, lie in slots; others are merged as mlx-lm does: sliding
windows, recurrent states, quantized keys and values, and the kinds that a model has of
its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from inference.engine.row_caches.lone_row import LoneRow
from inference.engine.row_caches.merged_rows import MergedRows
from inference.engine.row_caches.slot_rows import SlotRows, fit_slots

if TYPE_CHECKING:
    from collections.abc import Sequence

    from inference.engine.row_caches.lone_row import MakeRows, Rows


def rows_of(rows: Sequence[list[Any]]) -> Rows:
    """Return rows that run together, from the caches of each."""
    batch: MakeRows = SlotRows.of if fit_slots(rows[0]) else MergedRows.of
    return LoneRow(rows[0], batch) if len(rows) == 1 else batch(rows)
