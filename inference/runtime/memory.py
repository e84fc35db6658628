"""What the models hold, what is left, and what one more would take.

Figures are measured wherever there is a measurement; estimates stand in only for
what has not been loaded or computed yet. Nothing is remembered from one question
to the next, so a refusal ends as soon as its cause does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from inference.core.errors import InsufficientMemoryError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from inference.core.outcomes import ModelState
    from inference.runtime.leases import Leases

GB = 1_000_000_000
# Of the machine's own memory: the rest is the system's, and other programs'.
SHARE_OF_MACHINE = 0.75
# Of a GPU's memory, which it shares with nobody.
SHARE_OF_GPU = 0.9
# Of the budget, for what a model keeps of prompts and answers.
SHARE_OF_PROMPTS = 0.1


class Holder(Protocol):
    """A model that holds memory, and why it does."""

    @property
    def key(self) -> str:
        """The name clients use."""

    @property
    def held_bytes(self) -> int:
        """What it holds."""

    @property
    def is_ready(self) -> bool:
        """Whether it can answer."""

    is_pinned: bool
    state: ModelState
    use: Leases


@dataclass(frozen=True, slots=True)
class MemoryBudget:
    """How many bytes all models together may hold."""

    total_bytes: int

    @classmethod
    def of(
        cls, *, asked_bytes: int, machine_bytes: int, gpu_bytes: int
    ) -> MemoryBudget:
        """Return the budget that was asked for; 0 asks for what is there to spare."""
        if asked_bytes:
            return cls(asked_bytes)
        if gpu_bytes:
            return cls(int(gpu_bytes * SHARE_OF_GPU))
        return cls(int(machine_bytes * SHARE_OF_MACHINE))

    def prompt_cache_bytes(self, asked_bytes: int | None) -> int:
        """Return what each model may keep of prompts and answers.

        It is given back before anything is refused for want of memory.
        """
        if asked_bytes is not None:
            return asked_bytes
        return int(self.total_bytes * SHARE_OF_PROMPTS)

    def free_bytes(self, models: Iterable[Holder]) -> int:
        """Return what no model holds; negative where they hold too much."""
        return self.total_bytes - sum(model.held_bytes for model in models)

    def refusal(
        self, what: str, needed_bytes: int, models: Iterable[Holder]
    ) -> InsufficientMemoryError:
        """Return the error that says what is needed, what is free and who holds it."""
        models = list(models)
        held = ", ".join(
            f"`{model.key}` {_amount(model.held_bytes)} ({_why_kept(model)})"
            for model in models
            if model.held_bytes
        )
        free = max(0, self.free_bytes(models))
        return InsufficientMemoryError(
            f"{what} needs about {_amount(needed_bytes)} of memory; "
            f"{_amount(free)} of {_amount(self.total_bytes)} are free. "
            f"Held: {held or 'nothing'}.",
            figures={
                "needed_bytes": needed_bytes,
                "free_bytes": free,
                "total_bytes": self.total_bytes,
                "held_bytes": {
                    model.key: model.held_bytes for model in models if model.held_bytes
                },
            },
        )


def _why_kept(model: Holder) -> str:
    if model.use.is_busy:
        return "busy"
    if model.is_pinned:
        return "pinned"
    return "idle" if model.is_ready else str(model.state)


def _amount(size_bytes: int) -> str:
    if size_bytes < GB / 10:
        return f"{size_bytes / 1e6:.1f} MB"
    return f"{size_bytes / GB:.2f} GB"
