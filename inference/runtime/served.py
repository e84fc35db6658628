"""One served model: its queue, its current worker, and the task that keeps it up."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from inference.core.catalog import ModelCard
from inference.core.errors import InferenceError, ModelUnavailableError
from inference.core.outcomes import ModelState
from inference.runtime.admission import AdmissionQueue, WaitingRoom
from inference.runtime.worker import ModelLoadError, WorkerHandle

if TYPE_CHECKING:
    from inference.core.frames import ModelLoaded
    from inference.core.timing import Clock
    from inference.runtime.config import ModelSource, RuntimeConfig

logger = logging.getLogger("inference")

_SETTLED = (ModelState.READY, ModelState.FAILED, ModelState.STOPPING)

Publish = Callable[..., None]


class ServedModel:
    """Owns the admission queue and the worker of one model key.

    `publish(kind, model=…, detail=…, data=…)` receives what happens to it.
    """

    def __init__(
        self,
        source: ModelSource,
        *,
        config: RuntimeConfig,
        room: WaitingRoom,
        clock: Clock,
        publish: Publish,
    ) -> None:
        self.source = source
        self.queue = AdmissionQueue(seats=config.max_concurrency, room=room)
        self._config = config
        self._clock = clock
        self._publish = publish
        self._state = ModelState.UNLOADED
        self._error = ""
        self._loaded: ModelLoaded | None = None
        self._loaded_at: float | None = None
        self._last_used_at: float | None = None
        self._restarts = 0
        self._worker: WorkerHandle | None = None
        self._settled = asyncio.Event()
        self._refusal: InferenceError | None = None
        self._keeper: asyncio.Task[None] | None = None

    @property
    def key(self) -> str:
        """The name clients use."""
        return self.source.key

    @property
    def is_ready(self) -> bool:
        """Whether a worker holds the model."""
        return self._state is ModelState.READY

    @property
    def context_length(self) -> int:
        """Tokens of prompt and answer together."""
        return self._loaded.context_length if self._loaded is not None else 0

    @property
    def vocabulary(self) -> int:
        """How many tokens the model knows."""
        return self._loaded.vocabulary if self._loaded is not None else 0

    @property
    def defaults(self) -> dict[str, Any]:
        """Sampling defaults: the entry's, then the model's own."""
        own = self._loaded.defaults if self._loaded is not None else {}
        return own | self.source.defaults

    def start(self) -> None:
        """Begin loading, and keep a worker up from then on."""
        self._state = ModelState.LOADING
        self._keeper = asyncio.create_task(self._keep_up(), name=f"keep {self.key}")

    async def wait_ready(self, timeout_s: float) -> WorkerHandle:
        """Return the worker, waiting while it loads or restarts.

        Raises:
            ModelUnavailableError: it failed, or was not ready within `timeout_s`.
        """
        await self._wait_settled(timeout_s)
        if self._refusal is not None:
            raise self._refusal
        if self._state is not ModelState.READY or self._worker is None:
            why = self._error or f"still {self._state} after {timeout_s:g} s"
            raise ModelUnavailableError(
                f"The model `{self.key}` cannot answer now: {why}."
            )
        self._last_used_at = self._clock.wall()
        return self._worker

    async def wait_settled(self) -> ModelCard:
        """Return the card once the first load has ended, well or not."""
        await self._settled.wait()
        return self.card()

    def send_away(self, error: InferenceError) -> None:
        """Refuse what waits for a seat or for the model, and what comes."""
        self.queue.close(error)
        self._refusal = error
        self._settled.set()

    async def stop(self) -> None:
        """End the worker and stop keeping it up."""
        self._state = ModelState.STOPPING
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.gather(self._keeper, return_exceptions=True)
        if self._worker is not None:
            await self._worker.stop()
        self._state = ModelState.UNLOADED

    def current_worker(self) -> WorkerHandle | None:
        """Return the live worker, if there is one."""
        return self._worker

    def card(self) -> ModelCard:
        """Return what may be known about this model."""
        beat = self._worker.last_beat if self._worker is not None else None
        return ModelCard(
            key=self.key,
            source=str(self.source.path),
            kind=self.source.kind,
            state=self._state,
            created=int(self._loaded_at or 0),
            context_length=self.context_length or None,
            size_bytes=self._loaded.weight_bytes if self._loaded else None,
            memory_bytes=beat.active_bytes + beat.cache_bytes if beat else None,
            loaded_at=self._loaded_at,
            last_used_at=self._last_used_at,
            load_s=self._loaded.load_s if self._loaded else None,
            max_concurrency=self.queue.seats,
            active=self.queue.active,
            waiting=self.queue.waiting,
            restarts=self._restarts,
            error=self._error,
            defaults=self.defaults,
        )

    # --- the keeper task

    async def _keep_up(self) -> None:
        """Load, wait for death, pause, and again; give up on what cannot load."""
        deaths = 0
        while True:
            worker = WorkerHandle(stream_limit_bytes=self._config.stream_limit_bytes)
            try:
                await self._load_into(worker)
            except (ModelLoadError, TimeoutError, OSError) as error:
                reason = str(error) or type(error).__name__
                if self._loaded is None:
                    await self._give_up(worker, reason)
                    return
                # It could be loaded before: what is in the way may pass.
                await worker.stop()
                deaths += 1
                await self._after_death(f"reload failed: {reason}", deaths)
                continue
            except asyncio.CancelledError:
                await worker.stop()
                raise
            up_since = self._clock.monotonic()
            watch = asyncio.create_task(self._watch(worker))
            try:
                reason = await worker.wait_for_death()
            finally:
                watch.cancel()
            if self._clock.monotonic() - up_since > self._config.healthy_after_s:
                deaths = 0
            deaths += 1
            await self._after_death(reason, deaths)

    async def _load_into(self, worker: WorkerHandle) -> None:
        self._worker = worker
        async with asyncio.timeout(self._config.load_timeout_s):
            hello = await worker.start()
            loaded = await worker.load(
                str(self.source.path),
                kind=self.source.kind,
                max_rows=self._config.max_concurrency,
            )
        self._loaded = loaded
        self._loaded_at = self._clock.wall()
        self.queue.resize(min(loaded.max_rows, self._config.max_concurrency))
        self._publish(
            "worker_restart" if self._restarts else "model_load",
            model=self.key,
            detail=f"loaded in {loaded.load_s:.1f} s",
            data={
                "load_s": loaded.load_s,
                "weight_bytes": loaded.weight_bytes,
                "device": hello.device,
                "blas": hello.blas,
                "versions": hello.versions,
                "pid": hello.pid,
            },
        )
        logger.info(
            "Model %s ready: %.1f s, %.0f MB, context %d, on %s",
            self.key,
            loaded.load_s,
            loaded.weight_bytes / 1e6,
            loaded.context_length,
            f"{hello.device} ({hello.blas})" if hello.device == "cpu" else hello.device,
        )
        if hello.blas == "reference":
            logger.warning(
                "No OpenBLAS was found: this CPU answers many times slower than it "
                "could (Debian, Ubuntu: apt-get install libopenblas0-pthread)"
            )
        self._become(ModelState.READY, "")

    async def _watch(self, worker: WorkerHandle) -> None:
        """End a worker that shows no life while it has work, as a crash."""
        patience_s = self._config.hang_timeout_s
        while True:
            await asyncio.sleep(patience_s / 4)
            silent_s = worker.silent_s()
            if worker.has_work and silent_s > patience_s:
                logger.error(
                    "The worker of %s made no step for %.0f s", self.key, silent_s
                )
                worker.kill(f"it made no step for {silent_s:.0f} s with work pending")
                return

    async def _after_death(self, reason: str, deaths: int) -> None:
        self._restarts += 1
        self._publish("worker_died", model=self.key, detail=reason)
        logger.error("The worker of %s died: %s; restarting", self.key, reason)
        self._become(ModelState.RESTARTING, f"its worker died ({reason})")
        pauses = self._config.restart_backoff_s
        await asyncio.sleep(pauses[min(deaths, len(pauses)) - 1])

    async def _give_up(self, worker: WorkerHandle, reason: str) -> None:
        await worker.stop()
        self._publish("model_load_failed", model=self.key, detail=reason)
        logger.error("The model %s cannot be loaded: %s", self.key, reason)
        self._become(ModelState.FAILED, reason)

    def _become(self, state: ModelState, error: str) -> None:
        self._state = state
        self._error = error
        if state in _SETTLED:
            self._settled.set()
        else:
            self._settled.clear()

    async def _wait_settled(self, timeout_s: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self._settled.wait()
