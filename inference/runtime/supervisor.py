"""The task that loads a model into a worker and keeps a worker up from then on."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

from inference.core.outcomes import ModelState
from inference.runtime.memory import MemoryBudget
from inference.runtime.worker_protocol import ModelLoadError

if TYPE_CHECKING:
    from collections.abc import Callable

    from inference.core.frames import LoadProgress, ModelLoaded, WorkerHello
    from inference.core.models import ModelSource
    from inference.runtime.context import RuntimeContext
    from inference.runtime.worker_protocol import Worker

logger = logging.getLogger("inference")


class WorkerSupervisor:
    """Owns one model's worker from the first load to the unload, over its deaths.

    `on_state(state, error)` is told whenever the model becomes something else.
    """

    def __init__(
        self,
        source: ModelSource,
        *,
        context: RuntimeContext,
        on_state: Callable[[ModelState, str], None],
        on_progress: Callable[[LoadProgress], None],
    ) -> None:
        self._source = source
        self._context = context
        self._config = context.config
        self._clock = context.clock
        self._on_state = on_state
        self._on_progress = on_progress
        self._task: asyncio.Task[None] | None = None
        self.worker: Worker | None = None
        self.loaded: ModelLoaded | None = None
        self.loaded_at: float | None = None
        self.progress: LoadProgress | None = None
        self.restarts = 0

    def start(self) -> None:
        """Begin to load."""
        name = f"keep {self._source.key}"
        self._task = asyncio.create_task(self._keep_up(), name=name)

    async def stop(self) -> None:
        """End the worker; nothing is restarted."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        if self.worker is not None:
            await self.worker.stop()

    def card_fields(self) -> dict[str, Any]:
        """Return the fields of a `ModelCard` that tell of this life in memory."""
        loaded, progress = self.loaded, self.progress
        fields: dict[str, Any] = {
            "created": int(self.loaded_at or 0),
            "loaded_at": self.loaded_at,
            "restarts": self.restarts,
        }
        if self.worker is not None and self.worker.hello is not None:
            fields["computes_on"] = self.worker.hello.computes_on
        if loaded is not None:
            fields |= {
                "context_length": loaded.context_length,
                "size_bytes": loaded.weight_bytes,
                "load_s": loaded.load_s,
                "capabilities": loaded.capabilities,
                "dialect": loaded.dialect,
                "notes": loaded.notes,
            }
        elif progress is not None:
            share = progress.done_bytes / max(1, progress.total_bytes)
            fields["progress"] = min(1.0, share)
        return fields

    async def _keep_up(self) -> None:
        """Load, wait for death, pause, and again; give up on what cannot load."""
        deaths = 0
        while True:
            began = self._clock.monotonic()
            try:
                worker = await self._load()
            except (ModelLoadError, TimeoutError, OSError) as error:
                reason = str(error) or (
                    f"it took longer than {self._config.load_timeout_s:g} s"
                )
                if self.loaded is None:
                    self._give_up(reason)
                    return
                # It could be loaded before: what is in the way may pass.
                reason = f"reload failed: {reason}"
            else:
                self._tell_loaded(worker, self._clock.monotonic() - began)
                up_since = self._clock.monotonic()
                reason = await self._until_death(worker)
                if self._clock.monotonic() - up_since > self._config.healthy_after_s:
                    deaths = 0
            deaths += 1
            self._tell_death(reason, deaths)
            if deaths >= self._config.quarantine_after:
                self._quarantine(reason, deaths)
                return
            await self._pause(reason, deaths)

    async def _load(self) -> Worker:
        """Return a worker that holds the model; one that does not is ended."""
        async with asyncio.timeout(self._config.load_timeout_s):
            worker = await self._context.spare.take()
            self.worker = worker
            worker.on_load_progress = self._note_progress
            try:
                loaded = await worker.load(
                    self._source,
                    max_rows=self._config.max_concurrency,
                    prefix_bytes=self._prefix_bytes(worker),
                )
            except BaseException:
                await worker.stop()
                raise
        self.loaded = loaded
        self.loaded_at = self._clock.wall()
        return worker

    def _prefix_bytes(self, worker: Worker) -> int:
        """Return what the model may keep of prompts and answers."""
        hello, config = worker.hello, self._config
        budget = MemoryBudget.of(
            asked_bytes=config.memory_budget_bytes,
            machine_bytes=config.machine_bytes,
            gpu_bytes=hello.memory_bytes if hello is not None else 0,
        )
        return budget.prompt_cache_bytes(config.prompt_cache_bytes)

    def _note_progress(self, progress: LoadProgress) -> None:
        self.progress = progress
        self._on_progress(progress)

    def _tell_loaded(self, worker: Worker, wall_s: float) -> None:
        loaded, hello = self.loaded, worker.hello
        assert loaded is not None
        assert hello is not None
        key = self._source.key
        self._context.publish(
            "worker_restart" if self.restarts else "model_load",
            model=key,
            detail=f"loaded in {wall_s:.1f} s",
            data={
                "load_s": loaded.load_s,
                "wall_s": wall_s,
                "weight_bytes": loaded.weight_bytes,
                "estimated_bytes": self._source.estimated_bytes,
                "device": hello.device,
                "blas": hello.blas,
                "versions": hello.versions,
                "pid": hello.pid,
                "dialect": loaded.dialect,
                "notes": loaded.notes,
            },
        )
        logger.info(
            "Model %s ready: %.1f s, %.0f MB, context %d, on %s",
            key,
            wall_s,
            loaded.weight_bytes / 1e6,
            loaded.context_length,
            hello.computes_on,
        )
        for note in loaded.notes:
            logger.warning("Model %s: %s", key, note)
        _warn_of_slow_blas(hello)
        self._on_state(ModelState.READY, "")

    def _tell_death(self, reason: str, deaths: int) -> None:
        beat = self.worker.last_beat if self.worker is not None else None
        held = beat.held_bytes if beat is not None else 0
        self._context.publish(
            "worker_died",
            model=self._source.key,
            detail=reason,
            data={
                "held_bytes": held,
                "deaths": deaths,
                "up_s": self._clock.wall() - (self.loaded_at or self._clock.wall()),
            },
        )

    async def _until_death(self, worker: Worker) -> str:
        watch = asyncio.create_task(self._watch(worker))
        try:
            return await worker.wait_for_death()
        finally:
            watch.cancel()

    async def _watch(self, worker: Worker) -> None:
        """End a worker that shows no life while it has work, as a crash."""
        patience_s = self._config.hang_timeout_s
        while True:
            await asyncio.sleep(patience_s / 4)
            silent_s = worker.silent_s()
            if worker.has_work and silent_s > patience_s:
                logger.error(
                    "The worker of %s made no step for %.0f s",
                    self._source.key,
                    silent_s,
                )
                worker.kill(f"it made no step for {silent_s:.0f} s with work pending")
                return

    async def _pause(self, reason: str, deaths: int) -> None:
        self.restarts += 1
        logger.error("The worker of %s died: %s; restarting", self._source.key, reason)
        self._on_state(ModelState.RESTARTING, f"its worker died ({reason})")
        pauses = self._config.restart_backoff_s
        await asyncio.sleep(pauses[min(deaths, len(pauses)) - 1])

    def _quarantine(self, reason: str, deaths: int) -> None:
        key = self._source.key
        times = "" if deaths == 1 else f" {deaths} times in a row, the last time"
        why = f"its worker died{times}: {reason}"
        self._context.publish(
            "model_quarantined", model=key, detail=why, data={"deaths": deaths}
        )
        logger.error("The model %s is in quarantine: %s", key, why)
        self._on_state(ModelState.QUARANTINED, why)

    def _give_up(self, reason: str) -> None:
        key = self._source.key
        self._context.publish("model_load_failed", model=key, detail=reason)
        logger.error("The model %s cannot be loaded: %s", key, reason)
        self._on_state(ModelState.FAILED, reason)


def _warn_of_slow_blas(hello: WorkerHello) -> None:
    if hello.blas == "reference":
        logger.warning(
            "MLX computes with its own BLAS: this CPU answers many times slower than "
            "it could with OpenBLAS (mlx-server doctor says what to do)"
        )
