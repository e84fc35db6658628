"""How quickly the seats of one model come free, and so when to come back."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from inference.core.timing import Clock

# Seconds of work after which what was measured before counts a third.
MEMORY_S = 60.0
SOONEST_S = 1
# Client libraries ignore what is longer.
LATEST_S = 60


class SeatPace:
    """Measures how long a seat is held: time that seats were taken, by seats given back.

    So those that are still taken count too, and idle time does not.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._given_back = 0.0
        self._held_s = 0.0
        self._taken = 0
        self._at = clock.monotonic()

    def note(self, *, taken: int, given_back: int = 0) -> None:
        """Take how many seats are taken from now on, and were given back now."""
        self._given_back, self._held_s = self._so_far()
        self._given_back += given_back
        self._taken = taken
        self._at = self._clock.monotonic()

    def wait_s(self, place: int, *, seats: int) -> int:
        """Return in how many seconds the seat at `place` in line comes free.

        Before any was given back, the first is taken to come free just now.
        """
        given_back, held_s = self._so_far()
        expected_s = place * held_s / (given_back or 1.0) / max(1, seats)
        return min(LATEST_S, max(SOONEST_S, math.ceil(expected_s)))

    def _so_far(self) -> tuple[float, float]:
        """Return seats given back and seconds held until now, older ones fading."""
        if not self._taken:
            return self._given_back, self._held_s
        elapsed_s = self._clock.monotonic() - self._at
        kept = math.exp(-elapsed_s / MEMORY_S)
        return self._given_back * kept, self._held_s * kept + self._taken * elapsed_s
