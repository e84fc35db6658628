"""How many rows a client may fill that nobody let in.

Whoever can reach the port could fill the database with refusals: unknown keys
and paths, bodies too large. Each client gets so many rows a minute; what is
over is only counted.
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


class UnauthenticatedCallers:
    """Counts refusals per client and minute."""

    def __init__(
        self,
        *,
        rows_per_minute: int = DEFAULT_LIMITS.unauthenticated_rows_per_minute,
        clock: Clock | None = None,
    ) -> None:
        self._rows_per_minute = rows_per_minute
        self._clock = clock or SystemClock()
        self._minute = 0
        self._rows: Counter[str] = Counter()
        self.suppressed_total = 0

    def may_leave_row(self, client_host: str) -> bool:
        """Count a refusal; false when its row would be one too many."""
        minute = int(self._clock.monotonic() // 60)
        if minute != self._minute or len(self._rows) >= CLIENTS_MOST:
            self._minute = minute
            self._rows.clear()
        self._rows[client_host] += 1
        if self._rows[client_host] <= self._rows_per_minute:
            return True
        self.suppressed_total += 1
        return False
