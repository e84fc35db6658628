"""POST /v1/models/load and /v1/models/unload."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING

import msgspec

from inference.api.endpoint import endpoint
from inference.api.replies import json_reply
from inference.api.streaming import sse_reply
from inference.auth import is_local
from inference.protocol import sse
from inference.protocol.errors import public_error
from inference.protocol.model_calls import (
    changed_body,
    progress_body,
    to_load_request,
    to_unload_request,
)
from inference.protocol.pacing import with_silences

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from django.http.response import HttpResponseBase

    from inference.api.call import Call
    from inference.core.catalog import ModelCard
    from inference.core.models import LoadRequest, LoadUpdate


@endpoint("/v1/models/load", "POST")
async def model_load(call: Call) -> HttpResponseBase:
    """Load a model; answer when it can be used, or stream how far it is."""
    call.trace.asked_for(call.body.get("model"), stream=call.body.get("stream"))
    asked = to_load_request(call.body, limits=call.app.limits)
    if asked.stream:
        return await sse_reply(_load_frames(call, asked), headers=dict)
    card = await _load(call, asked, LatestUpdate())
    return json_reply(changed_body(card))


@endpoint("/v1/models/unload", "POST")
async def model_unload(call: Call) -> HttpResponseBase:
    """Unload a model once its requests have ended, or with `force` at once."""
    call.trace.asked_for(call.body.get("key") or call.body.get("model"), stream=False)
    key, force = to_unload_request(call.body, limits=call.app.limits)
    card = await call.app.service.unload(key, force=force)
    call.trace.served_by(card.key)
    return json_reply(changed_body(card))


class LatestUpdate:
    """The newest word on a load; older ones that nobody read are forgotten."""

    def __init__(self) -> None:
        self._update: LoadUpdate | None = None
        self._fresh = asyncio.Event()

    def note(self, update: LoadUpdate) -> None:
        """Take the newest."""
        self._update = update
        self._fresh.set()

    async def wait(self) -> None:
        """Return when there is one that was not taken."""
        await self._fresh.wait()

    def take(self) -> LoadUpdate | None:
        """Return the newest that was not taken; `None` where there is none."""
        update, self._update = self._update, None
        self._fresh.clear()
        return update


async def _load(call: Call, asked: LoadRequest, latest: LatestUpdate) -> ModelCard:
    card = await call.app.service.load_by_name(
        asked, may_download=_may_download(call), on_update=latest.note
    )
    call.trace.served_by(card.key)
    return card


async def _load_frames(call: Call, asked: LoadRequest) -> AsyncGenerator[bytes, None]:
    """Yield a load's progress as events; the last one is the model, or an error.

    Before the first event an error is raised, so that it gets a status of its own.
    """
    trace, begun = call.trace, False
    paced = with_silences(_steps(call, asked), after_s=call.app.sse_keepalive_after_s)
    try:
        async with aclosing(paced) as steps:
            async for step in steps:
                frame = sse.KEEP_ALIVE if step is None else sse.events([step])
                begun = True
                yield frame
        trace.finish()
        trace.close()
        yield sse.DONE
    except Exception as error:  # noqa: BLE001 -- logged by `public_error`
        public = public_error(error)
        trace.fail(public)
        if not begun:
            raise public from None
        yield sse.error_event(public)
    finally:
        trace.close()


async def _steps(call: Call, asked: LoadRequest) -> AsyncGenerator[bytes, None]:
    latest = LatestUpdate()
    loading = asyncio.create_task(_load(call, asked, latest))
    try:
        while not loading.done():
            news = asyncio.create_task(latest.wait())
            await asyncio.wait((loading, news), return_when=asyncio.FIRST_COMPLETED)
            news.cancel()
            update = latest.take()
            if update is not None:
                yield msgspec.json.encode(progress_body(update))
        # The load may have ended while its reader was slow.
        if (update := latest.take()) is not None:
            yield msgspec.json.encode(progress_body(update))
        yield msgspec.json.encode(changed_body(await loading))
    finally:
        loading.cancel()


def _may_download(call: Call) -> bool:
    """Whether this caller may have models downloaded: a key, or this machine."""
    if not call.app.allow_download:
        return False
    record = call.trace.record
    return bool(record.key_name) or is_local(
        call.request.headers, client_host=record.client_host
    )
