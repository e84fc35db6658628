"""POST /v1/rerank, under all the addresses that its clients know."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inference.core.outcomes import Operation
from inference.exchange.answering import ignored_header
from inference.exchange.endpoint import endpoint
from inference.exchange.reading import read_with
from inference.exchange.replies import json_reply
from inference.faces.rerank.answer import ranking_body
from inference.faces.rerank.body import to_request

if TYPE_CHECKING:
    from django.http.response import HttpResponseBase

    from inference.exchange.call import Call


@endpoint("/v1/rerank", "POST", operation=Operation.RERANK)
async def rerank(call: Call) -> HttpResponseBase:
    """Tell how relevant documents are to a query."""
    request, how = await read_with(to_request, call)
    call.trace.describe_inputs(request)
    service = call.app.service
    key = await service.key_of(request.model)
    with service.encoding(key, call.trace) as encoding:
        found = await encoding.rerank(request.work)
    body = ranking_body(
        found, request.work, how, request_id=call.trace.request_id, model=key
    )
    return json_reply(body, headers=ignored_header(call.trace))
