"""A load under way, as what a stream tells of."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from inference.core.catalog import ModelCard
    from inference.core.models import LoadRequest, LoadUpdate
    from inference.core.trace import RequestTrace
    from inference.runtime.service import ModelService


class LoadSource:
    """Owns the task of one load. Progress that nobody took gives way to newer."""

    def __init__(
        self,
        service: ModelService,
        asked: LoadRequest,
        may_download: bool,
        trace: RequestTrace,
    ) -> None:
        self.is_ended = False
        self._trace = trace
        self._update: LoadUpdate | None = None
        self._fresh = asyncio.Event()
        self._loading = asyncio.create_task(
            service.load_by_name(asked, may_download=may_download, on_update=self._note)
        )
        self._loading.add_done_callback(lambda _: self._fresh.set())

    async def take(
        self, patience_s: float | None = None
    ) -> list[LoadUpdate | ModelCard]:
        """Return the newest progress, and the model once it is loaded.

        Raises:
            InferenceError: it cannot be loaded.
        """
        with suppress(TimeoutError):
            async with asyncio.timeout(patience_s):
                await self._fresh.wait()
        self._fresh.clear()
        update, self._update = self._update, None
        if update is not None:
            # The end is for the next look: it may be an error.
            if self._loading.done():
                self._fresh.set()
            return [update]
        if not self._loading.done():
            return []
        self.is_ended = True
        return [await self.loaded()]

    async def loaded(self) -> ModelCard:
        """Return the model once it is loaded.

        Raises:
            InferenceError: it cannot be loaded.
        """
        card = await self._loading
        self._trace.served_by(card.key)
        return card

    def give_up(self) -> None:
        """Wait for the load no longer."""
        self._loading.cancel()

    def _note(self, update: LoadUpdate) -> None:
        self._update = update
        self._fresh.set()
