"""POST /v1/chat/completions."""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING
from urllib.parse import quote

from inference.api.endpoint import endpoint
from inference.api.replies import json_reply
from inference.api.streaming import chat_frames, sse_reply
from inference.protocol.chat import ignored_names, read_generation
from inference.protocol.chunks import ChunkWriter
from inference.protocol.responses import collect_completion, completion_id

if TYPE_CHECKING:
    from django.http.response import HttpResponseBase

    from inference.api.call import Call
    from inference.core.requests import GenerationRequest
    from inference.core.trace import RequestTrace

# Proxies refuse answers whose headers are long; the row has all names.
IGNORED_HEADER_CHARS = 2048


@endpoint("/v1/chat/completions", "POST")
async def chat_completions(call: Call) -> HttpResponseBase:
    """Continue a conversation, in one answer or as a stream."""
    call.trace.asked_for(call.body.get("model"), stream=call.body.get("stream"))
    call.trace.asked_by(user=call.body.get("user"), metadata=call.body.get("metadata"))
    request = await read_generation(
        call.body,
        size_bytes=call.body_bytes,
        limits=call.app.limits,
        strict=call.app.strict_params,
    )
    call.trace.describe(request)
    return await (
        _stream(call, request) if request.stream else _complete(call, request)
    )


async def _complete(call: Call, request: GenerationRequest) -> HttpResponseBase:
    model = await call.app.service.find_model(request.model)
    async with aclosing(call.app.service.stream(request, call.trace)) as deltas:
        body = await collect_completion(
            deltas,
            completion_id=completion_id(call.trace.request_id),
            created=int(call.app.clock.wall()),
            model=model.key,
        )
    return json_reply(body, headers=_headers(call.trace))


async def _stream(call: Call, request: GenerationRequest) -> HttpResponseBase:
    app = call.app
    model = await app.service.find_model(request.model)
    writer = ChunkWriter(
        completion_id=completion_id(call.trace.request_id),
        created=int(app.clock.wall()),
        model=model.key,
        include_usage=request.include_usage,
        continuous_usage=request.continuous_usage,
    )
    frames = chat_frames(
        app.service.stream(request, call.trace),
        writer,
        call.trace,
        keepalive_after_s=app.sse_keepalive_after_s,
    )
    return await sse_reply(frames, headers=lambda: _headers(call.trace))


def _headers(trace: RequestTrace) -> dict[str, str]:
    ignored = ignored_names(trace.record.params)
    if not ignored:
        return {}
    names = ",".join(quote(name, safe="[]") for name in ignored)
    if len(names) > IGNORED_HEADER_CHARS:
        names = names[:IGNORED_HEADER_CHARS].rpartition(",")[0]
    return {"x-ignored-params": names}
