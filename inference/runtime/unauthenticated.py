"""How many rows a client may fill that nobody let in.

Whoever can reach the port could fill the database with refusals: unknown keys
and paths, bodies too large. Each client gets so many rows a minute; what is
over is only counted. The admin's login counts its failures in the same way.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from inference.core.limits import DEFAULT_LIMITS
from inference.core.timing import Clock, SystemClock

if TYPE_CHECKING:
    from inference.core.errors import InferenceError

CLIENTS_MOST = 10_000
_CODES = frozenset({"invalid_api_key", "unknown_url", "cross_site_request"})


def is_unauthenticated(error: InferenceError) -> bool:
    """Whether an error says that nobody let this caller in."""
    return error.code in _CODES


class MinuteBudget:
    """So many a minute for each client."""

    def __init__(self, most: int, *, clock: Clock | None = None) -> None:
        self._most = most
        self._clock = clock or SystemClock()
        self._minute = 0
        self._taken: Counter[str] = Counter()

    def take(self, client_host: str) -> bool:
        """Count one more; false where it is one too many."""
        minute = int(self._clock.monotonic() // 60)
        if minute != self._minute or len(self._taken) >= CLIENTS_MOST:
            self._minute = minute
            self._taken.clear()
        self._taken[client_host] += 1
        return self._taken[client_host] <= self._most

    def give_back(self, client_host: str) -> None:
        """Take back what turned out not to count."""
        self._taken[client_host] -= 1

    @property
    def left_s(self) -> float:
        """Seconds until everybody may again."""
        return 60 - self._clock.monotonic() % 60


class UnauthenticatedCallers:
    """Counts refusals per client and minute."""

    def __init__(
        self,
        *,
        rows_per_minute: int = DEFAULT_LIMITS.unauthenticated_rows_per_minute,
        clock: Clock | None = None,
    ) -> None:
        self._rows = MinuteBudget(rows_per_minute, clock=clock)
        self.suppressed_total = 0

    def may_leave_row(self, client_host: str) -> bool:
        """Count a refusal; false when its row would be one too many."""
        if self._rows.take(client_host):
            return True
        self.suppressed_total += 1
        return False
