"""How long one whole request may take."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from inference.core.errors import RequestTimeoutError

if TYPE_CHECKING:
    from collections.abc import Callable

    from inference.core.timing import Clock


class Deadline:
    """When the whole request must be over, if ever."""

    def __init__(
        self, timeout_s: float | None, clock: Clock, *, spent_s: float
    ) -> None:
        self._timeout_s = timeout_s
        self._clock = clock
        self._ends_at = (
            None if timeout_s is None else clock.monotonic() + timeout_s - spent_s
        )

    def left_s(self, most_s: float) -> float:
        """Return the seconds left, at most `most_s`."""
        if self._ends_at is None:
            return most_s
        return max(0.0, min(most_s, self._ends_at - self._clock.monotonic()))

    @property
    def timeout_s(self) -> float | None:
        """The seconds left; `None`: the request may take as long as it does."""
        return None if self._ends_at is None else self.left_s(self._ends_at)

    @property
    def is_over(self) -> bool:
        """Whether the time is up."""
        return self._ends_at is not None and self._clock.monotonic() >= self._ends_at

    def error(self) -> RequestTimeoutError:
        """Return the error for a request whose time is up."""
        return RequestTimeoutError(f"The request took longer than {self._timeout_s} s.")

    def call_when_over(
        self, callback: Callable[[], None]
    ) -> asyncio.TimerHandle | None:
        """Call back when the time is up; `None` where it never is."""
        if self._ends_at is None:
            return None
        left_s = max(0.0, self._ends_at - self._clock.monotonic())
        return asyncio.get_running_loop().call_later(left_s, callback)
