"""A model's answer to a validated request, whole or streamed."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import TYPE_CHECKING
from urllib.parse import quote

from inference.core.collected import CollectedAnswer
from inference.core.described import ignored_names
from inference.exchange.events import stream_events
from inference.exchange.replies import json_reply
from inference.exchange.streaming import sse_reply
from inference.exchange.writers import keep_told

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Sequence

    from django.http.response import HttpResponseBase

    from inference.core.requests import Generate, InferenceRequest
    from inference.core.trace import RequestTrace
    from inference.exchange.call import Call
    from inference.exchange.writers import AnswerWriter
    from inference.protocol.sse import Event
    from inference.runtime.app import App


# Proxies refuse answers whose headers are long; the row has all names.
IGNORED_HEADER_CHARS = 2048


async def answer(
    call: Call, request: InferenceRequest, writer_for: Callable[[str], AnswerWriter]
) -> HttpResponseBase:
    """Answer a request in the way that its client asked for.

    `writer_for` makes the writer of an answer by the model with a key.

    Raises:
        InferenceError: it cannot be answered, and nothing was sent yet.
    """
    app, trace = call.app, call.trace
    trace.describe(request)
    key = await app.service.key_of(request.model)
    writer = writer_for(key)
    if request.stream:
        return await sse_reply(
            answer_events(app, trace, request.work, key, writer),
            keep_alive=writer.keep_alive,
            # Not whether the answer fits its schema: a stream is checked at its end.
            headers=lambda: ignored_header(trace),
        )
    collected = CollectedAnswer()
    async with AsyncExitStack() as stack:
        source = await app.service.admit(request.work, key, trace, stack)
        while not source.is_ended:
            for delta in await source.take():
                collected.add(delta)
    body = writer.whole(collected)
    await keep_told(writer)
    return json_reply(body, headers=_headers(trace))


def answer_events(
    app: App, trace: RequestTrace, work: Generate, key: str, writer: AnswerWriter
) -> AsyncGenerator[Sequence[Event], None]:
    """Return the events of an answer by the model under `key`."""
    return stream_events(
        lambda stack: app.service.admit(work, key, trace, stack),
        writer,
        trace,
        silence_s=app.sse_keepalive_after_s,
    )


def _headers(trace: RequestTrace) -> dict[str, str]:
    """Return what the row says of the request, as far as it is known by now."""
    check = {"x-schema-check": trace.schema_check} if trace.schema_check else {}
    return ignored_header(trace) | check


def ignored_header(trace: RequestTrace) -> dict[str, str]:
    """The header that names what was sent without effect, where there is any."""
    ignored = ignored_names(trace.record.params)
    if not ignored:
        return {}
    names = ",".join(quote(name, safe="[]") for name in ignored)
    if len(names) > IGNORED_HEADER_CHARS:
        names = names[:IGNORED_HEADER_CHARS].rpartition(",")[0]
    return {"x-ignored-params": names}
