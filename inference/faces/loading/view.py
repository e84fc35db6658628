"""POST /v1/models/load and /v1/models/unload."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

from inference.auth import is_local
from inference.core.outcomes import Operation
from inference.exchange.endpoint import endpoint
from inference.exchange.events import stream_events
from inference.exchange.replies import json_reply
from inference.exchange.streaming import sse_reply
from inference.faces.loading.answer import LoadWriter, changed_body
from inference.faces.loading.body import to_load_request, to_unload_request
from inference.faces.loading.source import LoadSource

if TYPE_CHECKING:
    from django.http.response import HttpResponseBase

    from inference.exchange.call import Call


@endpoint("/v1/models/load", "POST", operation=Operation.MODEL_LOAD)
async def model_load(call: Call) -> HttpResponseBase:
    """Load a model; answer when it can be used, or stream how far it is."""
    call.trace.asked_for(call.body.get("model"), stream=call.body.get("stream"))
    asked = to_load_request(call.body, limits=call.app.limits)
    may_download = _may_download(call)

    async def opened(stack: AsyncExitStack) -> LoadSource:
        source = LoadSource(call.app.service, asked, may_download, call.trace)
        stack.callback(source.give_up)
        return source

    if asked.stream:
        writer = LoadWriter()
        silence_s = call.app.sse_keepalive_after_s
        events = stream_events(opened, writer, call.trace, silence_s=silence_s)
        return await sse_reply(events, keep_alive=writer.keep_alive)
    async with AsyncExitStack() as stack:
        card = await (await opened(stack)).loaded()
    return json_reply(changed_body(card))


@endpoint("/v1/models/unload", "POST", operation=Operation.MODEL_UNLOAD)
async def model_unload(call: Call) -> HttpResponseBase:
    """Unload a model once its requests have ended, or with `force` at once."""
    call.trace.asked_for(call.body.get("key") or call.body.get("model"), stream=False)
    key, force = to_unload_request(call.body, limits=call.app.limits)
    card = await call.app.service.unload(key, force=force)
    call.trace.served_by(card.key)
    return json_reply(changed_body(card))


def _may_download(call: Call) -> bool:
    """Whether this caller may have models downloaded: a key, or this machine."""
    if not call.app.allow_download:
        return False
    record = call.trace.record
    return bool(record.key_name) or is_local(
        call.request.headers, client_host=record.client_host
    )
