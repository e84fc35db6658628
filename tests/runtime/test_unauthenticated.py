"""Whoever nobody let in fills only so many rows a minute."""

from __future__ import annotations

from inference.runtime.unauthenticated import UnauthenticatedCallers


class HandClock:
    """Moves only when told to."""

    now = 0.0

    def monotonic(self) -> float:
        return self.now

    def wall(self) -> float:
        return self.now


def test_it_counts_what_it_does_not_keep() -> None:
    budget = UnauthenticatedCallers(rows_per_minute=2, clock=HandClock())
    kept = [budget.may_leave_row("a") for _ in range(5)]
    assert kept == [True, True, False, False, False]
    assert budget.suppressed_total == 3


def test_it_gives_every_client_its_own_budget_each_minute() -> None:
    clock = HandClock()
    budget = UnauthenticatedCallers(rows_per_minute=1, clock=clock)
    assert budget.may_leave_row("a")
    assert budget.may_leave_row("b")
    assert not budget.may_leave_row("a")
    clock.now = 61.0
    assert budget.may_leave_row("a")
