"""Room in memory: for a model before it loads, for a prompt before it is prefilled."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

from inference.runtime.memory import MemoryBudget

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Sequence

    from inference.core.errors import InsufficientMemoryError
    from inference.runtime.context import RuntimeContext
    from inference.runtime.leases import Lease
    from inference.runtime.registry import ModelRegistry
    from inference.runtime.served import ServedModel

PURGE_S = 1.0
# One event for all refusals of a model within this time; each has its row.
TELL_EVERY_S = 10.0


class MemoryAdmission:
    """Decides what fits; `evict(model, why)` unloads an idle one.

    What is decided between two awaits is decided on the figures of that moment:
    nothing is locked, and nothing is remembered.
    """

    def __init__(
        self,
        registry: ModelRegistry,
        context: RuntimeContext,
        *,
        evict: Callable[[ServedModel, str], Awaitable[None]],
    ) -> None:
        self._registry = registry
        self._config = context.config
        self._clock = context.clock
        self._evict = evict
        self._publish = context.publish
        self._tell_again_at: dict[str, float] = {}
        self._gpu_bytes = 0
        # Set, and replaced, whenever memory may have come free.
        self._changed = asyncio.Event()

    @property
    def budget(self) -> MemoryBudget:
        """What all models together may hold."""
        return MemoryBudget.of(
            asked_bytes=self._config.memory_budget_bytes,
            machine_bytes=self._config.machine_bytes,
            gpu_bytes=self._gpu_bytes,
        )

    def learn_gpu(self, memory_bytes: int) -> None:
        """Take what a worker says of its GPU's memory; 0: there is none."""
        self._gpu_bytes = memory_bytes

    def changed(self) -> None:
        """Have those look again who wait for memory."""
        self._changed.set()
        self._changed = asyncio.Event()

    async def for_model(self, model: ServedModel, *, patience_s: float) -> None:
        """Evict idle models until this one fits; busy ones may end within the time.

        Raises:
            InsufficientMemoryError: with the figures.
        """
        deadline = self._clock.monotonic() + patience_s
        needed = model.source.estimated_bytes
        while not await self._fits(needed, but=model, why=f"for {model.key}"):
            left_s = deadline - self._clock.monotonic()
            others = self._all_but(model)
            kept = sum(other.held_bytes for other in others if other.is_pinned)
            if left_s <= 0 or needed > self.budget.total_bytes - kept:
                what = f"The model `{model.key}`"
                raise self._refusal(model, what, needed, others)
            with suppress(TimeoutError):
                async with asyncio.timeout(left_s):
                    await self._changed.wait()

    async def for_prompt(
        self,
        model: ServedModel,
        lease: Lease,
        *,
        tokens: Sequence[int],
        rows_each: int,
    ) -> None:
        """Count the keys and values of prompts in, before any of them is computed.

        Raises:
            InsufficientMemoryError: they do not fit, whatever is idle were evicted.
        """
        needed = sum(model.kv_bytes(count, rows_each) for count in tokens)
        lease.kv_bytes = needed
        if await self._fits(0, but=None, why=f"for a prompt to {model.key}"):
            return
        lease.kv_bytes = 0
        what = f"A prompt of {sum(tokens)} tokens for `{model.key}`"
        error = self._refusal(model, what, needed, self._registry.all())
        # What other answers hold comes free as their seats do.
        error.retry_after_s = model.queue.retry_after_s()
        raise error

    def _refusal(
        self,
        model: ServedModel,
        what: str,
        needed: int,
        holders: Iterable[ServedModel],
    ) -> InsufficientMemoryError:
        """Return the error, and tell the record: not every time, where many come."""
        error = self.budget.refusal(what, needed, holders)
        now = self._clock.monotonic()
        if now >= self._tell_again_at.get(model.key, 0.0):
            self._tell_again_at[model.key] = now + TELL_EVERY_S
            self._publish(
                "memory_refused",
                model=model.key,
                detail=error.message,
                data=dict(error.figures),
            )
        return error

    def _all_but(self, model: ServedModel | None) -> list[ServedModel]:
        return [other for other in self._registry.all() if other is not model]

    async def _fits(self, needed: int, *, but: ServedModel | None, why: str) -> bool:
        """Whether this much is free, after purges and evictions if it takes them.

        The model `but` is not counted: it is what the room is for. Nothing is
        evicted where that would not be enough.
        """
        others = self._all_but(but)
        if needed <= self.budget.free_bytes(others):
            return True
        await asyncio.gather(*(model.purge(PURGE_S) for model in others))
        while (missing := needed - self.budget.free_bytes(others)) > 0:
            idle = [model for model in others if model.is_evictable]
            if missing > sum(model.held_bytes for model in idle):
                return False
            oldest = min(idle, key=lambda model: model.last_used_at)
            await self._evict(oldest, f"to make room {why}")
        return True
