"""Unused models are unloaded after their time to live."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from inference.core.timing import Clock
    from inference.runtime.served import ServedModel


class Retirement:
    """Owns the timers of models that nobody uses; `unload(model, why)` ends one."""

    def __init__(
        self,
        clock: Clock,
        unload: Callable[[ServedModel, str], Coroutine[Any, Any, None]],
    ) -> None:
        self._clock = clock
        self._unload = unload
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._retiring: set[asyncio.Task[None]] = set()

    def note_unused(self, model: ServedModel) -> None:
        """Let the model's time begin anew."""
        timer = self._timers.pop(model.key, None)
        if timer is not None:
            timer.cancel()
        if model.ttl_s and not model.is_at_rest:
            loop = asyncio.get_running_loop()
            self._timers[model.key] = loop.call_later(model.ttl_s, self._retire, model)

    def stop(self) -> None:
        """Retire no more models."""
        for timer in self._timers.values():
            timer.cancel()

    def _retire(self, model: ServedModel) -> None:
        unused_s = self._clock.wall() - model.last_used_at
        if not model.is_evictable or unused_s < model.ttl_s / 2:
            # It is used or pinned; its worker is being replaced, or just was.
            self.note_unused(model)
            return
        task = asyncio.create_task(
            self._unload(model, f"unused for {model.ttl_s:g} s"),
            name=f"retire {model.key}",
        )
        self._retiring.add(task)
        task.add_done_callback(self._retiring.discard)
