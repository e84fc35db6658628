"""The record over time: what the charts, and whoever asks for them, draw.

Series come out of `Rollup` and `Gauge` alone, never out of single requests, so a
range of a year costs no more than one of a day. `asked` says what is wanted,
`History` is the answer.
"""

from __future__ import annotations

from metrics.history.asked import Asked, BadParameterError, read_asked
from metrics.history.reading import read_history
from metrics.history.values import History

__all__ = ["Asked", "BadParameterError", "History", "read_asked", "read_history"]
