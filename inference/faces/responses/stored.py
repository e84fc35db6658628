"""/v1/responses/{id}: what is kept of a response, told again, cancelled, forgotten."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

from inference.core.errors import InvalidRequestError
from inference.exchange.endpoint import endpoint
from inference.exchange.replies import json_reply
from inference.exchange.streaming import sse_reply
from inference.faces.responses.answer import RESPONSES
from inference.faces.responses.lookup import (
    check_id,
    kept_response,
    key_name,
    no_response,
    store_of,
    under_way,
)
from inference.faces.responses.retelling import followed, retold, silence
from inference.protocol.pages import list_body, read_number, read_page, read_switch

if TYPE_CHECKING:
    from django.http.response import HttpResponseBase

    from inference.exchange.call import Call

# For what was cancelled to be over.
CANCELLED_WITHIN_S = 10.0


@endpoint("/v1/responses/{id}", "GET", "DELETE", face=RESPONSES)
async def stored_response(call: Call, response_id: str) -> HttpResponseBase:
    """Show a response, tell its events again, or forget it."""
    if call.request.method == "DELETE":
        return await _forget(call, response_id)
    query = call.request.GET
    after = read_number(query, "starting_after", -1)
    if read_switch(query, "stream"):
        return await _tell_again(call, response_id, after)
    if after >= 0:
        raise InvalidRequestError(
            "'starting_after' is only for streams.", param="starting_after"
        )
    return json_reply((await kept_response(call, response_id)).body)


@endpoint("/v1/responses/{id}/input_items", "GET", face=RESPONSES)
async def input_items(call: Call, response_id: str) -> HttpResponseBase:
    """List what a response was asked, a page at a time."""
    page = read_page(call.request.GET)
    kept = await kept_response(call, response_id)
    return json_reply(list_body(kept.input, page))


@endpoint("/v1/responses/{id}/cancel", "POST", face=RESPONSES, takes_body=False)
async def response_cancel(call: Call, response_id: str) -> HttpResponseBase:
    """End a response that is under way in the background; once over, it stays so."""
    kept = await kept_response(call, response_id)
    if not kept.body.get("background"):
        raise InvalidRequestError(
            "Cannot cancel a synchronous response: it was not asked for with "
            "'background'.",
            param="response_id",
        )
    answer = under_way(call, response_id)
    if answer is not None:
        answer.cancel()
        with suppress(TimeoutError):
            async with asyncio.timeout(CANCELLED_WITHIN_S):
                await answer.log.ended()
    if kept.is_under_way:
        kept = await kept_response(call, response_id)
    return json_reply(kept.body)


async def _tell_again(call: Call, response_id: str, after: int) -> HttpResponseBase:
    answer = under_way(call, response_id)
    kept = await kept_response(call, response_id)
    if answer is None:
        events = retold(kept, after)
    else:
        events = followed(answer.log, after, silence_s=call.app.sse_keepalive_after_s)
    return await sse_reply(events, keep_alive=silence)


async def _forget(call: Call, response_id: str) -> HttpResponseBase:
    check_id(response_id, "resp", "response_id")
    store, answer = store_of(call), under_way(call, response_id)
    if not await store.delete(response_id, key_name(call)):
        raise no_response(response_id)
    if answer is not None:
        answer.forget()
        # It may have been kept in between.
        await store.delete(response_id, key_name(call))
    return json_reply({"id": response_id, "object": "response", "deleted": True})
