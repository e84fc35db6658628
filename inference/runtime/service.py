"""The singleton model service: from a validated request to deltas, with one exit."""

from __future__ import annotations

import asyncio
import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from inference.core.catalog import ModelCard, QueueSnapshot
from inference.core.errors import ServerDrainingError, ShutdownInterruptError
from inference.core.events import RequestObserver, ServerEvent
from inference.core.outcomes import ModelState
from inference.core.timing import Clock, SystemClock
from inference.runtime.admission import WaitingRoom
from inference.runtime.checkers import Checkers
from inference.runtime.context import RuntimeContext
from inference.runtime.encoding import Encoding
from inference.runtime.generation import Generation
from inference.runtime.live import LiveCount
from inference.runtime.loading import ModelLoader
from inference.runtime.naming import ModelNames
from inference.runtime.pool import ModelPool
from inference.runtime.registry import ModelRegistry
from inference.runtime.spare import SpareWorker
from inference.runtime.supplies import Supplies

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from contextlib import AsyncExitStack

    from inference.core.frames import PromptPrepared
    from inference.core.models import LoadRequest, ModelSource
    from inference.core.requests import Count, Generate
    from inference.core.trace import RequestTrace, ServerIdentity
    from inference.runtime.answer import AdmittedAnswer
    from inference.runtime.config import RuntimeConfig
    from inference.runtime.pool import OnUpdate
    from inference.runtime.served import ServedModel

logger = logging.getLogger("inference")

# For error events to reach the clients after the drain timeout.
LAST_WORDS_S = 2.0


class ModelService:
    """Owns the registry, the waiting room, the pool, and the draining of it all.

    Everything runs on one event loop; there is one service per process.
    """

    def __init__(
        self,
        *,
        config: RuntimeConfig,
        observer: RequestObserver,
        identity: ServerIdentity,
        supplies: Supplies | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._config = config
        self._observer = observer
        self._identity = identity
        self._clock = clock or SystemClock()
        supplies = supplies or Supplies()
        self._fetches = supplies.fetches
        self._registry = ModelRegistry(any_model_name=config.any_model_name)
        self._context = RuntimeContext(
            config=config,
            clock=self._clock,
            waiting=WaitingRoom(places=config.queue_size),
            spare=SpareWorker(
                make=supplies.workers(config), is_enabled=config.has_spare_worker
            ),
            look_at=supplies.look_at,
            images=supplies.images,
            publish=self.publish,
            checkers=Checkers(publish=self.publish, clock=self._clock),
        )
        self._pool = ModelPool(self._registry, self._context)
        self._names = ModelNames(
            self._registry, pool=self._pool, catalog=supplies.catalog, config=config
        )
        self._loader = ModelLoader(
            registry=self._registry,
            pool=self._pool,
            catalog=supplies.catalog,
            fetches=self._fetches,
        )
        self._live = LiveCount()
        self.is_draining = False

    # --- models

    def begin(self, sources: Sequence[ModelSource]) -> None:
        """Begin to load models one after the other; the first is the default."""
        self._pool.load_in_order(sources)

    async def wait_loaded(self, key: str) -> ModelCard:
        """Return a model's card once the load that is under way has ended."""
        return await self._pool.wait_loaded(self._served(key))

    async def load(
        self, source: ModelSource, *, on_update: OnUpdate | None = None
    ) -> ModelCard:
        """Load a model and return its card.

        Raises:
            InferenceError: it is loaded already, does not fit, or does not load.
        """
        return (await self._pool.load(source, on_update=on_update)).card()

    async def load_by_name(
        self, asked: LoadRequest, *, may_download: bool, on_update: OnUpdate
    ) -> ModelCard:
        """Find, fetch where allowed, and load a model; return its card.

        Raises:
            InferenceError: it is not known, may not be fetched, or does not load.
        """
        model = await self._loader.load(
            asked, may_download=may_download, on_update=on_update
        )
        return model.card()

    async def unload(self, key: str, *, force: bool = False) -> ModelCard:
        """Unload a model once its requests have ended, or end them.

        Raises:
            ModelNotFoundError: there is none under that key.
            ModelConflictError: it is not loaded.
        """
        model = self._served(key)
        await self._pool.unload(model, force=force)
        return model.card()

    async def release(self, key: str) -> ModelCard:
        """Take a model out of quarantine, and load it.

        Raises:
            InferenceError: it is in none, or does not load.
        """
        model = self._served(key)
        await self._pool.release(model)
        return model.card()

    def pin(self, key: str, pinned: bool) -> ModelCard:
        """Keep a model from being unloaded to make room, or no longer.

        Raises:
            ModelNotFoundError: there is none under that key.
        """
        model = self._served(key)
        model.is_pinned = pinned
        return model.card()

    async def find_model(self, name: str | None) -> ModelCard:
        """Return the card of the model that `name` means, loaded or not.

        Raises:
            ModelNotFoundError: nothing is known under that name.
        """
        return (await self._names.find(name)).card()

    async def key_of(self, name: str | None) -> str:
        """Return the key of the model that `name` means, loaded or not.

        Raises:
            ModelNotFoundError: nothing is known under that name.
        """
        return (await self._names.find(name)).key

    def cards(self) -> tuple[ModelCard, ...]:
        """Return the cards of the models this server has, or is fetching."""
        cards = (model.card() for model in self._registry.all())
        return (*cards, *self._loader.fetching_cards())

    async def known_cards(self) -> tuple[ModelCard, ...]:
        """Return the cards of all models that a request may name."""
        return await self._names.with_known(self.cards())

    def _served(self, key: str) -> ServedModel:
        model = self._registry.get(key) or self._registry.find(key)
        if model is None:
            raise self._registry.not_found(key)
        return model

    @property
    def memory_budget_bytes(self) -> int:
        """What all models together may hold."""
        return self._pool.memory.budget.total_bytes

    @property
    def is_ready(self) -> bool:
        """Whether a model can answer, or could be loaded to do so."""
        states = {model.state for model in self._registry.all()}
        can_load = self._config.allow_on_demand and not self._pool.is_starting
        return not self.is_draining and (
            ModelState.READY in states or (can_load and ModelState.UNLOADED in states)
        )

    def snapshot(self) -> QueueSnapshot:
        """Return the queues at this moment."""
        cards = self.cards()
        return QueueSnapshot(
            running=not self.is_draining,
            waiting=self._context.waiting.taken,
            max_waiting=self._context.waiting.places,
            active=sum(card.active for card in cards),
            max_concurrency=self._config.max_concurrency,
            models=cards,
        )

    def publish(
        self,
        kind: str,
        *,
        model: str = "",
        detail: str = "",
        data: dict[str, Any] | None = None,
    ) -> None:
        """Tell the observer that something happened to the server or a model."""
        self._observer.server_event(
            ServerEvent(
                kind=kind,
                at=self._clock.wall(),
                node=self._identity.node,
                boot_id=self._identity.boot_id,
                model=model,
                detail=detail,
                data=data or {},
            )
        )

    # --- generation

    async def admit(
        self, work: Generate, key: str, trace: RequestTrace, stack: AsyncExitStack
    ) -> AdmittedAnswer:
        """Return the answer of the model under `key` once it begins.

        Tells `trace` the phases, the prompt's length and every delta, but not
        the end: that is the caller's. What the answer holds is let go by `stack`.

        Raises:
            InferenceError: whatever kept the request from being answered.
        """
        generation = self._begun(work, key, trace)
        stack.enter_context(self._live)
        return await generation.admit(stack)

    async def count(self, work: Count, key: str, trace: RequestTrace) -> PromptPrepared:
        """Return how many tokens a prompt has for the model under `key`.

        Tells `trace` the phases and the length, but not the end.

        Raises:
            InferenceError: whatever kept the prompt from being prepared.
        """
        generation = self._begun(work.as_asked, key, trace)
        with self._live:
            (prompt,) = await generation.prepare()
        return prompt

    def _begun(self, work: Generate, key: str, trace: RequestTrace) -> Generation:
        return Generation(work, **self._admitting(key, trace))

    def _admitting(self, key: str, trace: RequestTrace) -> dict[str, Any]:
        if self.is_draining:
            raise self._draining_error()
        model = self._served(key)
        trace.served_by(model.key)
        return {"model": model, "trace": trace, "pool": self._pool}

    # --- encoding

    @contextmanager
    def encoding(self, key: str, trace: RequestTrace) -> Iterator[Encoding]:
        """Hand out a request's way to the vectors or scores of the model under `key`.

        Tells `trace` the phases and the length, but not the end.

        Raises:
            InferenceError: the server ends, or there is no such model.
        """
        encoding = Encoding(**self._admitting(key, trace))
        with self._live:
            yield encoding

    # --- the end

    async def drain(self, timeout_s: float, *, hurry: asyncio.Event) -> None:
        """Refuse what is new or waiting, let live streams end, then end them.

        They get `timeout_s` seconds, and none once `hurry` is set.
        """
        self.is_draining = True
        self._pool.send_away(self._draining_error())
        if not await self._live.ended(timeout_s, hurry):
            error = ShutdownInterruptError("The server shut down before the end.")
            for model in self._registry.all():
                model.end_requests(error)
            await self._live.ended(LAST_WORDS_S, asyncio.Event())

    @staticmethod
    def _draining_error() -> ServerDrainingError:
        return ServerDrainingError("The server is shutting down.")

    async def stop(self) -> None:
        """End all workers and downloads."""
        self.is_draining = True
        await asyncio.gather(
            self._context.images.close(),
            self._context.checkers.stop(),
            self._fetches.close(),
            self._pool.stop(),
        )
