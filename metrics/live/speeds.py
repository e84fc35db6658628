"""Tokens per second now: owns what was counted at the last few looks."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

WINDOW_S = 4.0


class Speeds:
    """Fed the tokens made since the start at every look; a look is all it costs."""

    def __init__(self, *, window_s: float = WINDOW_S) -> None:
        self._window_s = window_s
        self._looks: deque[tuple[float, Mapping[str, int]]] = deque()

    def forget(self) -> None:
        """Begin anew, after a time in which nobody looked."""
        self._looks.clear()

    def look(self, now: float, made: Mapping[str, int]) -> dict[str, float]:
        """Return each model's tokens per second over the window that ends `now`."""
        looks = self._looks
        looks.append((now, made))
        # The newest look that is a whole window old is where the window begins.
        while len(looks) > 1 and looks[1][0] <= now - self._window_s:
            looks.popleft()
        since, before = looks[0]
        if since >= now:
            return {}
        # A count may be corrected downwards when an answer ends.
        gained = {
            key: max(0, count - before.get(key, 0)) for key, count in made.items()
        }
        return {key: round(gain / (now - since), 1) for key, gain in gained.items()}
