"""A request that is answered in the background: its events, its row, its end."""

from __future__ import annotations

from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from inference.core.errors import InferenceError
from inference.exchange.answering import answer_events
from inference.exchange.writers import keep_told

if TYPE_CHECKING:
    from collections.abc import Sequence

    from inference.core.requests import Generate
    from inference.core.trace import RequestTrace
    from inference.exchange.call import Call
    from inference.exchange.writers import AnswerWriter
    from inference.protocol.sse import Event
    from inference.runtime.app import App
    from inference.runtime.background import BackgroundAnswer


@dataclass(frozen=True, slots=True)
class BackgroundRequest:
    """What is to be answered by the model under `key`, and who writes and keeps it.

    `told` are the events with which it begins.
    """

    id: str
    work: Generate
    key: str
    writer: AnswerWriter
    told: Sequence[Event] = ()


def answer_in_background(call: Call, request: BackgroundRequest) -> BackgroundAnswer:
    """Begin to answer whoever listens; return what can be followed, and cancelled.

    From here on the row is the answer's.
    """
    call.hand_over()
    drive = _Driver(call.app, call.trace, request).drive
    return call.app.background.begin(request.id, call.trace, drive)


@dataclass(frozen=True, slots=True)
class _Driver:
    """Brings one answer to its end, whatever it is."""

    app: App
    trace: RequestTrace
    request: BackgroundRequest

    async def drive(self, answer: BackgroundAnswer) -> None:
        """Note what is said until all is said and kept."""
        asked, log = self.request, answer.log
        log.append(asked.told)
        events = answer_events(
            self.app, self.trace, asked.work, asked.key, asked.writer
        )
        try:
            async with aclosing(events):
                async for said in events:
                    log.append(said)
        except InferenceError as error:
            # It had not begun, and is told as a stream tells it.
            failed = asked.writer.failed(error)
            await keep_told(asked.writer)
            log.append(failed)
