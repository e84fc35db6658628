"""POST /v1/messages and /v1/messages/count_tokens."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from inference.core.outcomes import Operation
from inference.exchange.answering import answer, ignored_header
from inference.exchange.endpoint import endpoint
from inference.exchange.reading import read_with
from inference.exchange.replies import json_reply
from inference.faces.messages.answer import ANTHROPIC, MessageWriter
from inference.faces.messages.body import to_count, to_request

if TYPE_CHECKING:
    from django.http.response import HttpResponseBase

    from inference.exchange.call import Call


@endpoint("/v1/messages", "POST", operation=Operation.MESSAGES, face=ANTHROPIC)
async def messages(call: Call) -> HttpResponseBase:
    """Continue a conversation, in one message or as a stream."""
    request, how = await read_with(to_request, call, user=_user(call.body))
    for warning in how.warnings:
        call.trace.warn(warning)
    return await answer(
        call,
        request,
        lambda key: MessageWriter(
            call.trace.request_id, key, hides_thinking=how.hides_thinking
        ),
    )


@endpoint(
    "/v1/messages/count_tokens", "POST", operation=Operation.COUNT, face=ANTHROPIC
)
async def count_tokens(call: Call) -> HttpResponseBase:
    """Tell how many tokens a conversation has for the model."""
    request, warnings = await read_with(to_count, call, user=_user(call.body))
    for warning in warnings:
        call.trace.warn(warning)
    call.trace.describe_count(request)
    service = call.app.service
    key = await service.key_of(request.model)
    prompt = await service.count(request.work, key, call.trace)
    return json_reply(
        {"input_tokens": prompt.tokens}, headers=ignored_header(call.trace)
    )


def _user(body: dict[str, Any]) -> object:
    metadata = body.get("metadata")
    return metadata.get("user_id") if isinstance(metadata, dict) else None
