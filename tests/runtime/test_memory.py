"""Memory is counted as it is measured, and a refusal says who holds it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from inference.runtime.memory import MemoryBudget

GB = 1_000_000_000


def model(key: str, held: int, **state: Any) -> Any:
    """A served model, as far as the budget looks at one."""
    use = SimpleNamespace(is_busy=state.get("is_busy", False))
    return SimpleNamespace(
        key=key,
        held_bytes=held,
        use=use,
        is_pinned=state.get("is_pinned", False),
        is_ready=True,
        state="ready",
    )


def test_it_is_what_the_operator_says() -> None:
    budget = MemoryBudget.of(asked_bytes=5, machine_bytes=64 * GB, gpu_bytes=80 * GB)
    assert budget.total_bytes == 5


def test_it_leaves_the_system_a_quarter_of_the_machine() -> None:
    budget = MemoryBudget.of(asked_bytes=0, machine_bytes=64 * GB, gpu_bytes=0)
    assert budget.total_bytes == 48 * GB


def test_a_gpu_counts_before_the_machine_around_it() -> None:
    budget = MemoryBudget.of(asked_bytes=0, machine_bytes=512 * GB, gpu_bytes=80 * GB)
    assert budget.total_bytes == 72 * GB


def test_it_says_what_is_needed_what_is_free_and_who_holds_the_rest() -> None:
    models = [
        model("big", 30 * GB, is_busy=True),
        model("small", 5 * GB, is_pinned=True),
        model("old", 1 * GB),
        model("gone", 0),
    ]
    error = MemoryBudget(40 * GB).refusal("The model `new`", 12 * GB, models)
    assert error.message == (
        "The model `new` needs about 12.00 GB of memory; 4.00 GB of 40.00 GB are "
        "free. Held: `big` 30.00 GB (busy), `small` 5.00 GB (pinned), `old` 1.00 GB "
        "(idle)."
    )
    assert (error.http_status, error.code) == (503, "insufficient_memory")


def test_it_never_says_that_less_than_nothing_is_free() -> None:
    error = MemoryBudget(GB).refusal("It", GB, [model("big", 2 * GB, is_busy=True)])
    assert "; 0.0 MB of 1.00 GB are free" in error.message
