"""POST /v1/embeddings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inference.core.outcomes import Operation
from inference.exchange.answering import ignored_header
from inference.exchange.endpoint import endpoint
from inference.exchange.reading import read_with
from inference.exchange.replies import json_reply
from inference.faces.embeddings.answer import embeddings_body
from inference.faces.embeddings.body import to_request

if TYPE_CHECKING:
    from django.http.response import HttpResponseBase

    from inference.exchange.call import Call


@endpoint("/v1/embeddings", "POST", operation=Operation.EMBEDDINGS)
async def embeddings(call: Call) -> HttpResponseBase:
    """Make a vector of each input."""
    request, as_base64 = await read_with(to_request, call)
    call.trace.describe_inputs(request)
    service = call.app.service
    key = await service.key_of(request.model)
    with service.encoding(key, call.trace) as encoding:
        encoded = await encoding.embed(request.work)
    body = await embeddings_body(encoded, key, as_base64=as_base64)
    return json_reply(body, headers=ignored_header(call.trace))
