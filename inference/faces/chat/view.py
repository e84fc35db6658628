"""POST /v1/chat/completions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inference.core.outcomes import Operation
from inference.exchange.answering import answer
from inference.exchange.endpoint import endpoint
from inference.faces.chat.answer import ChatWriter
from inference.faces.chat.body import read_request

if TYPE_CHECKING:
    from django.http.response import HttpResponseBase

    from inference.exchange.call import Call


@endpoint("/v1/chat/completions", "POST", operation=Operation.CHAT)
async def chat_completions(call: Call) -> HttpResponseBase:
    """Continue a conversation, in one answer or as a stream."""
    call.trace.asked(call.body)
    request, options = await read_request(
        call.body,
        size_bytes=call.body_bytes,
        limits=call.app.limits,
        strict=call.app.strict_params,
    )
    return await answer(
        call,
        request,
        lambda key: ChatWriter(
            call.trace.request_id, call.now, key, options, server=call.app.server
        ),
    )
