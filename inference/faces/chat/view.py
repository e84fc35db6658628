"""POST /v1/chat/completions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inference.core.outcomes import Operation
from inference.exchange.answering import answer
from inference.exchange.endpoint import endpoint
from inference.exchange.reading import read_with
from inference.faces.chat.answer import ChatWriter
from inference.faces.chat.body import to_request

if TYPE_CHECKING:
    from django.http.response import HttpResponseBase

    from inference.exchange.call import Call


@endpoint("/v1/chat/completions", "POST", operation=Operation.CHAT)
async def chat_completions(call: Call) -> HttpResponseBase:
    """Continue a conversation, in one answer or as a stream."""
    request, options = await read_with(to_request, call)
    return await answer(
        call,
        request,
        lambda key: ChatWriter(
            call.trace.request_id, call.now, key, options, server=call.app.server
        ),
    )
