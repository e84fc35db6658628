"""The record over time: what the charts, and whoever asks for them, draw.

Series come out of `Rollup` and `Gauge` alone, never out of single requests, so a
range of a year costs no more than one of a day. `HistoryQuery` says which
part, `History` is the answer.
"""

from __future__ import annotations

from metrics.history.query import HistoryQuery
from metrics.history.reading import read_history
from metrics.history.values import History

__all__ = ["History", "HistoryQuery", "read_history"]
