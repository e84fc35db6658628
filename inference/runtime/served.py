"""One model key: its queue, its supervisor, who uses it and what it holds."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from inference.core.catalog import ModelCard
from inference.core.errors import (
    InferenceError,
    ModelQuarantinedError,
    ModelUnavailableError,
)
from inference.core.outcomes import ModelState
from inference.runtime.admission import AdmissionQueue
from inference.runtime.leases import Leases
from inference.runtime.supervisor import WorkerSupervisor

if TYPE_CHECKING:
    from collections.abc import Callable

    from inference.core.frames import LoadProgress, ModelLoaded
    from inference.core.models import ModelSource
    from inference.runtime.context import RuntimeContext
    from inference.runtime.worker_protocol import Worker

logger = logging.getLogger("inference")

_AT_REST = (ModelState.UNLOADED, ModelState.FAILED, ModelState.QUARANTINED)
_SETTLED = (ModelState.READY, *_AT_REST)


class ServedModel:
    """Owns the admission queue, the supervisor and the use of one model key.

    `on_unused()` is called when nobody uses it any more; `watchers` are told how
    far a load is.
    """

    def __init__(
        self,
        source: ModelSource,
        *,
        context: RuntimeContext,
        on_unused: Callable[[], None],
    ) -> None:
        self.source = source
        self.queue = AdmissionQueue(
            seats=context.config.max_concurrency,
            room=context.waiting,
            clock=context.clock,
        )
        self.use = Leases(clock=context.clock, on_unused=on_unused)
        self.watchers: set[Callable[[LoadProgress], None]] = set()
        self.supervisor: WorkerSupervisor | None = None
        self.state = ModelState.UNLOADED
        self.error = ""
        self.is_pinned = False
        self._context = context
        self._config = context.config
        self._settled = asyncio.Event()
        self._settled.set()
        self._refusal: InferenceError | None = None
        self.take_source(source)

    def take_source(self, source: ModelSource) -> None:
        """Load this from now on; only for a model that is at rest."""
        self.source = source
        self.is_pinned = bool(source.options.pin)

    # --- what it is

    @property
    def key(self) -> str:
        """The name clients use."""
        return self.source.key

    @property
    def is_ready(self) -> bool:
        """Whether a worker holds the model."""
        return self.state is ModelState.READY

    @property
    def is_at_rest(self) -> bool:
        """Whether it holds nothing, and nothing will change that by itself."""
        return self.state in _AT_REST

    @property
    def is_up(self) -> bool:
        """Whether it is in memory, or on the way there."""
        return not self.is_at_rest and not self.is_stopping

    @property
    def is_stopping(self) -> bool:
        """Whether its worker is being ended."""
        return self.state is ModelState.STOPPING

    def raise_if_refusing(self) -> None:
        """Raise what every request is refused with, where the server ends."""
        if self._refusal is not None:
            raise self._refusal

    @property
    def is_evictable(self) -> bool:
        """Whether it may be unloaded to make room."""
        return self.is_ready and not self.use.is_busy and not self.is_pinned

    @property
    def last_used_at(self) -> float:
        """When it was last used or loaded, in Unix seconds; 0: never."""
        loaded_at = self.supervisor.loaded_at if self.supervisor is not None else None
        return max(self.use.last_used_at or 0.0, loaded_at or 0.0)

    @property
    def ttl_s(self) -> float:
        """How long it stays unused; 0: for ever."""
        own = self.source.options.ttl_s
        return self._config.default_ttl_s if own is None else own

    @property
    def loaded(self) -> ModelLoaded | None:
        """What its worker said of it; `None` before the first load."""
        return self.supervisor.loaded if self.supervisor is not None else None

    @property
    def context_length(self) -> int:
        """Tokens of prompt and answer together."""
        return self.loaded.context_length if self.loaded is not None else 0

    @property
    def vocabulary(self) -> int:
        """How many tokens the model knows."""
        return self.loaded.vocabulary if self.loaded is not None else 0

    @property
    def defaults(self) -> dict[str, Any]:
        """Sampling defaults: the entry's, then the model's own."""
        own = self.loaded.defaults if self.loaded is not None else {}
        return own | self.source.options.sampling

    # --- what it holds

    @property
    def measured_bytes(self) -> int:
        """What its worker holds, by its last heartbeat; 0: not known."""
        worker = self.current_worker()
        beat = worker.last_beat if worker is not None else None
        return beat.held_bytes if beat is not None else 0

    @property
    def held_bytes(self) -> int:
        """Memory it holds: measured, or what it is about to take."""
        if self.is_at_rest or self.supervisor is None:
            return 0
        if self.loaded is None:
            return self.source.estimated_bytes
        promised = self.loaded.weight_bytes + self.use.promised_bytes
        return max(self.measured_bytes, promised)

    def kv_bytes(self, tokens: int, rows: int) -> int:
        """Return what the keys and values of `rows` rows of `tokens` tokens take."""
        loaded = self.loaded
        if loaded is None:
            return 0
        kept = min(tokens, loaded.kv_window) if loaded.kv_window else tokens
        return rows * (loaded.kv_bytes_per_row + kept * loaded.kv_bytes_per_token)

    async def purge(self, timeout_s: float) -> None:
        """Have pooled memory given back to the system."""
        worker = self.current_worker()
        if worker is not None and self.is_ready:
            await worker.purge(timeout_s)

    # --- its life

    def start(self) -> None:
        """Begin loading, and keep a worker up from then on."""
        self.supervisor = WorkerSupervisor(
            self.source,
            context=self._context,
            on_state=self._hear,
            on_progress=self._note_progress,
        )
        self._become(ModelState.LOADING, "")
        self.supervisor.start()

    def fail(self, reason: str) -> None:
        """Be what cannot be loaded, without a try."""
        self._context.publish("model_load_failed", model=self.key, detail=reason)
        logger.error("The model %s cannot be loaded: %s", self.key, reason)
        self._become(ModelState.FAILED, reason)

    async def wait_ready(
        self, timeout_s: float, *, patience_s: float | None = None
    ) -> Worker:
        """Return the worker, waiting while it loads or restarts.

        Raises:
            ModelUnavailableError: it failed, or was not ready within `timeout_s`,
                the last of `patience_s`.
        """
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self._settled.wait()
        self.raise_if_refusing()
        if self.state is ModelState.QUARANTINED:
            raise ModelQuarantinedError(
                f"The model `{self.key}` is in quarantine: {self.error}."
            )
        worker = self.current_worker()
        if not self.is_ready or worker is None:
            waited_s = timeout_s if patience_s is None else patience_s
            why = self.error or f"still {self.state} after {waited_s:g} s"
            raise ModelUnavailableError(
                f"The model `{self.key}` cannot answer now: {why}."
            )
        return worker

    async def wait_settled(self) -> ModelCard:
        """Return the card once a load or an unload has ended, well or not."""
        await self._settled.wait()
        return self.card()

    def send_away(self, error: InferenceError) -> None:
        """Refuse what waits for a seat or for the model, and what comes."""
        self.queue.close(error)
        self._refusal = error
        self._settled.set()

    def end_requests(self, error: InferenceError) -> None:
        """End every live stream, and every wait for a seat, with `error`."""
        self.queue.send_away(error)
        worker = self.current_worker()
        if worker is not None:
            worker.fail_streams(error)

    async def drained(self) -> None:
        """Let nobody new in, and return when those who are in have left."""
        self._become(ModelState.STOPPING, "")
        await self.use.wait_unused()

    async def stop(self) -> None:
        """End the worker; whoever comes meanwhile waits for the end of that."""
        self._become(ModelState.STOPPING, "")
        if self.supervisor is not None:
            await self.supervisor.stop()
        self.supervisor = None
        self._become(ModelState.UNLOADED, "")

    def current_worker(self) -> Worker | None:
        """Return the live worker, if there is one."""
        return self.supervisor.worker if self.supervisor is not None else None

    def card(self) -> ModelCard:
        """Return what may be known about this model."""
        fields: dict[str, Any] = {"size_bytes": self.source.estimated_bytes or None}
        fields |= self.supervisor.card_fields() if self.supervisor is not None else {}
        return ModelCard(
            key=self.key,
            source=self.source.origin or self.source.path,
            kind=self.source.kind,
            state=self.state,
            error=self.error,
            memory_bytes=self.measured_bytes or None,
            max_concurrency=self.queue.seats,
            active=self.queue.active,
            waiting=self.queue.waiting,
            in_use=len(self.use),
            last_used_at=self.use.last_used_at,
            pinned=self.is_pinned,
            ttl_s=self.ttl_s or None,
            aliases=self.source.options.aliases,
            defaults=self.defaults,
            **fields,
        )

    def _note_progress(self, progress: LoadProgress) -> None:
        for watcher in tuple(self.watchers):
            watcher(progress)

    def _hear(self, state: ModelState, error: str) -> None:
        """Take the supervisor's word, unless the model is on its way out."""
        if not self.is_stopping:
            self._become(state, error)

    def _become(self, state: ModelState, error: str) -> None:
        self.state = state
        self.error = error
        if state is ModelState.READY and self.loaded is not None:
            self.queue.resize(self._seats(self.loaded))
        if state in _SETTLED:
            self._settled.set()
        elif self._refusal is None:
            self._settled.clear()

    def _seats(self, loaded: ModelLoaded) -> int:
        asked = self.source.options.max_concurrency or self._config.max_concurrency
        return min(loaded.max_rows, asked)
