"""POST /v1/completions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inference.core.outcomes import Operation
from inference.exchange.answering import answer
from inference.exchange.endpoint import endpoint
from inference.exchange.reading import read_with
from inference.faces.completions.answer import CompletionWriter
from inference.faces.completions.body import to_request

if TYPE_CHECKING:
    from django.http.response import HttpResponseBase

    from inference.exchange.call import Call


@endpoint("/v1/completions", "POST", operation=Operation.COMPLETION)
async def completions(call: Call) -> HttpResponseBase:
    """Go on from bare texts or token ids, in one answer or as a stream."""
    request, options = await read_with(to_request, call)
    return await answer(
        call,
        request,
        lambda key: CompletionWriter(
            call.trace.request_id,
            call.now,
            key,
            options,
            n=request.work.n,
            server=call.app.server,
        ),
    )
