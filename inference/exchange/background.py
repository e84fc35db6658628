"""A request that is answered in the background: its answer, its log and its row."""

from __future__ import annotations

import logging
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from inference.core.errors import InferenceError, StoreUnavailableError
from inference.exchange.answering import answer_events

if TYPE_CHECKING:
    from collections.abc import Sequence

    from inference.core.requests import Generate
    from inference.core.trace import RequestTrace
    from inference.exchange.call import Call
    from inference.exchange.writers import AnswerWriter
    from inference.protocol.sse import Event
    from inference.runtime.app import App
    from inference.runtime.background import BackgroundAnswer, EventLog, Told

logger = logging.getLogger("inference")

RETRY_S = 2.0


class AnswerKeeper(Protocol):
    """Keeps an answer that nobody listens to; the face's."""

    def is_last(self, events: Sequence[Event]) -> bool:
        """Whether an answer ends with these events."""

    async def keep(self, events: Sequence[Told], *, is_whole: bool) -> None:
        """Keep an answer with all that it said; without `is_whole`, the end of it.

        Raises:
            StoreUnavailableError: not now; it is tried again.
        """


@dataclass(frozen=True, slots=True)
class BackgroundRequest:
    """What is to be answered by the model under `key`, and who writes and keeps it."""

    id: str
    work: Generate
    key: str
    writer: AnswerWriter
    keeper: AnswerKeeper


def answer_in_background(call: Call, request: BackgroundRequest) -> EventLog:
    """Begin to answer whoever listens, and return what is said.

    From here on the row is the answer's. Its last events are told once they are kept.
    """
    call.hand_over()
    run = _Run(call.app, call.trace, request)
    return call.app.background.begin(request.id, call.trace, run.drive).log


@dataclass(frozen=True, slots=True)
class _Run:
    """How one answer comes to its end, which is kept before it is told."""

    app: App
    trace: RequestTrace
    request: BackgroundRequest

    async def drive(self, answer: BackgroundAnswer) -> None:
        """Answer to the end, whatever it is."""
        asked = self.request
        events = answer_events(
            self.app, self.trace, asked.work, asked.key, asked.writer
        )
        try:
            async with aclosing(events):
                async for said in events:
                    await self._note(answer, said)
        except InferenceError as error:
            # Nothing had been said yet.
            await self._note(answer, asked.writer.failed(error))

    async def _note(self, answer: BackgroundAnswer, said: Sequence[Event]) -> None:
        if not said:
            return
        if self.request.keeper.is_last(said):
            await self._keep(answer, said)
        answer.log.append(said)

    async def _keep(self, answer: BackgroundAnswer, last: Sequence[Event]) -> None:
        """Have it kept, however long the database is away while the server runs."""
        while not answer.is_forgotten and not await self._is_kept(answer, last):
            if not await self.app.background.may_retry(RETRY_S):
                return

    async def _is_kept(self, answer: BackgroundAnswer, last: Sequence[Event]) -> bool:
        log = answer.log
        try:
            await self.request.keeper.keep((*log.events, *last), is_whole=log.is_whole)
        except StoreUnavailableError as error:
            logger.warning("%s is not kept yet: %s", answer.id, error.message)
            return False
        return True
