"""A response that is answered in the background: told at once, kept at its end."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from inference.core.errors import ResponseTooLargeError, StoreUnavailableError
from inference.exchange.answering import ignored_header
from inference.exchange.background import BackgroundRequest, answer_in_background
from inference.exchange.replies import json_reply
from inference.exchange.streaming import sse_reply
from inference.faces.responses.retelling import followed, silence
from inference.protocol import faults

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.http.response import HttpResponseBase

    from inference.core.requests import InferenceRequest
    from inference.exchange.call import Call
    from inference.faces.responses.answer import Keep, ResponseWriter
    from inference.faces.responses.items import EventBody
    from inference.runtime.background import BackgroundAnswer, BackgroundAnswers

logger = logging.getLogger("inference")

RETRY_S = 2.0


async def answer_later(
    call: Call,
    request: InferenceRequest,
    writer_for: Callable[[str, Keep], ResponseWriter],
    keep: Keep | None,
) -> HttpResponseBase:
    """Begin to answer in the background; reply with the response as it waits.

    With `stream` the reply is what is said, as long as its client likes to listen.

    Raises:
        InferenceError: it cannot be answered, or not be kept.
    """
    app, trace = call.app, call.trace
    if keep is None:
        raise faults.invalid("background", "a background response must be stored.")
    app.background.refuse_if_full()
    trace.describe(request)
    key = await app.service.key_of(request.model)
    patient = PatientKeeper(keep, app.background)
    writer = writer_for(key, patient)
    told = writer.queued()
    await writer.keep()
    body = writer.resource
    answer = answer_in_background(
        call, BackgroundRequest(body["id"], request.work, key, writer, told)
    )
    patient.answer = answer
    if request.stream:
        silence_s = app.sse_keepalive_after_s
        events = followed(answer.log, -1, silence_s=silence_s)
        return await sse_reply(
            events, keep_alive=silence, headers=lambda: ignored_header(trace)
        )
    return json_reply(body, headers=ignored_header(trace))


class PatientKeeper:
    """Has the end of an answer kept, however long the database is away meanwhile.

    Before there is an `answer`, whoever asks waits and is told at once.
    """

    def __init__(self, keep: Keep, background: BackgroundAnswers) -> None:
        self.answer: BackgroundAnswer | None = None
        self._keep = keep
        self._background = background

    async def __call__(
        self, body: dict[str, Any], events: tuple[EventBody, ...]
    ) -> None:
        """Keep a response, unless it was forgotten meanwhile."""
        while self.answer is None or not self.answer.is_forgotten:
            try:
                return await self._kept(body, events)
            except StoreUnavailableError as error:
                if self.answer is None:
                    raise
                logger.warning("%s is not kept yet: %s", body["id"], error.message)
                if not await self._background.may_retry(RETRY_S):
                    raise
        return None

    async def _kept(self, body: dict[str, Any], events: tuple[EventBody, ...]) -> None:
        try:
            await self._keep(body, events)
        except ResponseTooLargeError:
            if body["status"] != "failed":
                raise
            # That it failed is kept in any case.
            await self._keep(body | {"output": []}, ())
