"""Which models are in memory: their loads and unloads."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from inference.core.errors import (
    InferenceError,
    ModelConflictError,
    ModelLoadFailedError,
    ModelUnavailableError,
    ModelUnloadedError,
)
from inference.core.models import LoadStage, LoadUpdate
from inference.core.outcomes import ModelState
from inference.library.errors import LibraryError
from inference.runtime.memory_admission import MemoryAdmission
from inference.runtime.retirement import Retirement
from inference.runtime.served import ServedModel

if TYPE_CHECKING:
    from collections.abc import Awaitable, Sequence

    from inference.core.catalog import ModelCard
    from inference.core.frames import LoadProgress
    from inference.core.models import ModelSource
    from inference.runtime.context import RuntimeContext
    from inference.runtime.registry import ModelRegistry
    from inference.runtime.worker_protocol import Worker

logger = logging.getLogger("inference")

OnUpdate = Callable[[LoadUpdate], None]
# Of the time that a request waits for its model: when nothing made room by then,
# it is told who holds the memory, which takes a moment more.
MEMORY_SHARE = 0.95


class ModelPool:
    """Owns the loads under way, and has models unloaded."""

    def __init__(self, registry: ModelRegistry, context: RuntimeContext) -> None:
        self._registry = registry
        self.context = context
        self._clock = context.clock
        self.memory = MemoryAdmission(registry, context, evict=self._evict)
        self._retirement = Retirement(context.clock, self._unload)
        self._loads: dict[str, asyncio.Task[None]] = {}
        self._first_loads: set[asyncio.Task[None]] = set()

    # --- models come and go

    def add(self, source: ModelSource) -> ServedModel:
        """Know a model, without loading it."""
        model = ServedModel(
            source,
            context=self.context,
            on_unused=lambda: self._note_unused(model),
        )
        self._registry.add(model)
        return model

    async def load(
        self, source: ModelSource, *, on_update: OnUpdate | None = None
    ) -> ServedModel:
        """Load a model now, or join the load of the same one that is under way.

        Raises:
            ModelConflictError: the key is loaded already, or loads another model.
            InsufficientMemoryError: it does not fit, whatever is idle were evicted.
            ModelLoadFailedError: its worker could not make a model of the files.
        """
        model = self._registry.get(source.key) or self.add(source)
        if model.is_stopping:
            await model.wait_settled()
        if model.key in self._loads:
            self._refuse_conflict(model, source)
        elif model.is_at_rest:
            model.take_source(source)
        else:
            self._refuse_conflict(model, source)

        def note(progress: LoadProgress) -> None:
            if on_update is not None:
                done, total = progress.done_bytes, progress.total_bytes
                on_update(LoadUpdate(LoadStage.LOADING, done, total))

        model.watchers.add(note)
        try:
            await self._join_load(model, patience_s=0.0)
        finally:
            model.watchers.discard(note)
        return model

    def _refuse_conflict(self, model: ServedModel, source: ModelSource) -> None:
        """Raise, unless the same model is loading at this moment."""
        if model.source.path != source.path:
            raise ModelConflictError(
                f"The key `{model.key}` belongs to another model: unload that first, "
                "or choose another key.",
                param="key",
                code="model_key_in_use",
            )
        if model.key not in self._loads:
            raise ModelConflictError(
                f"The model `{model.key}` is loaded already.",
                param="model",
                code="model_already_loaded",
            )

    async def ready(self, model: ServedModel, timeout_s: float) -> Worker:
        """Return the model's worker, loading the model where that is allowed.

        Raises:
            InferenceError: it cannot answer within `timeout_s`, and why.
        """
        deadline = self._clock.monotonic() + timeout_s
        while (left_s := deadline - self._clock.monotonic()) > 0:
            model.raise_if_refusing()
            if model.is_stopping:
                await _within(model.wait_settled(), left_s)
            elif model.state is ModelState.UNLOADED:
                if (
                    not self.context.config.allow_on_demand
                    and model.key not in self._loads
                ):
                    raise ModelUnavailableError(
                        f"The model `{model.key}` is not loaded; "
                        "POST /v1/models/load loads it."
                    )
                await _within(
                    self._join_load(model, patience_s=left_s * MEMORY_SHARE), left_s
                )
            else:
                break
        return await model.wait_ready(max(0.0, left_s), patience_s=timeout_s)

    async def unload(self, model: ServedModel, *, force: bool) -> None:
        """Let live requests end, or end them, and give the memory back.

        Raises:
            ModelConflictError: it is not loaded.
        """
        if not model.is_up:
            raise ModelConflictError(
                f"The model `{model.key}` is not loaded.",
                param="key",
                code="model_not_loaded",
            )
        if force:
            error = ModelUnloadedError(f"The model `{model.key}` was unloaded.")
            model.end_requests(error)
        elif model.is_ready:
            await model.drained()
        await self._unload(model, "by force" if force else "")

    async def release(self, model: ServedModel) -> None:
        """Take a model out of quarantine and load it.

        Raises:
            ModelConflictError: it is in none.
        """
        if model.state is not ModelState.QUARANTINED:
            raise ModelConflictError(
                f"The model `{model.key}` is not in quarantine.",
                param="key",
                code="model_not_quarantined",
            )
        self.context.publish("model_released", model=model.key)
        await self._join_load(model, patience_s=0.0)

    def send_away(self, error: InferenceError) -> None:
        """Refuse whoever waits for a model or a seat, and whoever comes."""
        for model in self._registry.all():
            model.send_away(error)
        for load in self._loads.values():
            load.cancel()

    async def stop(self) -> None:
        """End all workers, the spare one too."""
        self._retirement.stop()
        await asyncio.gather(
            self.context.spare.stop(), *(model.stop() for model in self._registry.all())
        )

    # --- loading

    def load_in_order(self, sources: Sequence[ModelSource]) -> None:
        """Begin to load models one after the other; the first is the default."""
        before: asyncio.Task[None] | None = None
        for source in sources:
            before = self._begin_load(self.add(source), patience_s=0.0, after=before)

        self._first_loads.update(self._loads.values())

    @property
    def is_starting(self) -> bool:
        """Whether the models of the start are still being loaded."""
        return any(not load.done() for load in self._first_loads)

    async def wait_loaded(self, model: ServedModel) -> ModelCard:
        """Return the card once the model's load, if there is one, has ended."""
        load = self._loads.get(model.key)
        if load is not None:
            await asyncio.wait((load,))
        return model.card()

    def _begin_load(
        self,
        model: ServedModel,
        *,
        patience_s: float,
        after: asyncio.Task[None] | None = None,
    ) -> asyncio.Task[None]:
        task = asyncio.create_task(
            self._load(model, patience_s, after), name=f"load {model.key}"
        )
        self._loads[model.key] = task
        task.add_done_callback(lambda done: self._load_ended(model.key, done))
        return task

    async def _join_load(self, model: ServedModel, *, patience_s: float) -> None:
        """Wait for the model's one load, which whoever comes first begins."""
        task = self._loads.get(model.key)
        if task is None:
            task = self._begin_load(model, patience_s=patience_s)
        # Whoever leaves does not take the load with it.
        await asyncio.wait((task,))
        if task.cancelled():
            model.raise_if_refusing()
            raise ModelUnavailableError(f"The load of `{model.key}` was given up.")
        task.result()

    async def _load(
        self,
        model: ServedModel,
        patience_s: float,
        after: asyncio.Task[None] | None,
    ) -> None:
        if after is not None:
            await asyncio.wait((after,))
        # Held as by a request: nobody evicts what is about to be used.
        with model.use.wanted():
            await self._look_at(model)
            await self.memory.for_model(model, patience_s=patience_s)
            model.start()
            card = await model.wait_settled()
        if card.state is not ModelState.READY:
            raise ModelLoadFailedError(
                f"The model `{model.key}` cannot be loaded: "
                f"{card.error or 'it was unloaded meanwhile'}."
            )
        worker = model.current_worker()
        if worker is not None and worker.hello is not None:
            self.memory.learn_gpu(worker.hello.memory_bytes)

    async def _look_at(self, model: ServedModel) -> None:
        """Refuse files that cannot be a model, before anything makes room for it."""
        try:
            model.source = await self.context.look_at(model.source)
        except LibraryError as error:
            model.fail(str(error))
            raise ModelLoadFailedError(
                f"The model `{model.key}` cannot be loaded: {error}."
            ) from None

    def _load_ended(self, key: str, task: asyncio.Task[None]) -> None:
        self._loads.pop(key, None)
        if not task.cancelled():
            task.exception()  # told to those who wait, if anybody still does
        self.memory.changed()
        if not self._loads:
            self.context.spare.refill()

    # --- unloading

    async def _evict(self, model: ServedModel, why: str) -> None:
        await self._stop(model, kind="model_evict", detail=why)

    async def _unload(self, model: ServedModel, why: str) -> None:
        await self._stop(model, kind="model_unload", detail=why)

    async def _stop(self, model: ServedModel, *, kind: str, detail: str) -> None:
        held, began = model.held_bytes, self._clock.monotonic()
        # Before anything is awaited it is no longer ready: nobody gets a seat.
        await model.stop()
        logger.info("Model %s unloaded %s", model.key, detail)
        self.context.publish(
            kind,
            model=model.key,
            detail=detail,
            data={"freed_bytes": held, "unload_s": self._clock.monotonic() - began},
        )
        self.memory.changed()

    def _note_unused(self, model: ServedModel) -> None:
        self.memory.changed()
        self._retirement.note_unused(model)


async def _within(waiting: Awaitable[object], timeout_s: float) -> None:
    """Await for at most `timeout_s` seconds; too late is no error here."""
    with suppress(TimeoutError):
        async with asyncio.timeout(timeout_s):
            await waiting
