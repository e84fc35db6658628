"""Clocks, taken as arguments so that tests may hold the time still."""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """Two clocks: one for durations, one for the time of day (Unix seconds)."""

    def monotonic(self) -> float:
        """Seconds that never run backwards."""

    def wall(self) -> float:
        """Unix seconds, UTC."""


class SystemClock:
    """The machine's own clocks."""

    def monotonic(self) -> float:
        """Seconds that never run backwards."""
        return time.monotonic()

    def wall(self) -> float:
        """Unix seconds, UTC."""
        return time.time()  # noqa: TID251 -- the clock that others take
