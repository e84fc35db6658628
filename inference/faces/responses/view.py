"""POST /v1/responses."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from inference.core.outcomes import Operation
from inference.exchange.answering import answer
from inference.exchange.endpoint import endpoint
from inference.exchange.reading import read_with
from inference.faces.responses.answer import RESPONSES, ResponseWriter
from inference.faces.responses.background import answer_later
from inference.faces.responses.body import to_asked, to_request
from inference.faces.responses.keeping import (
    NOT_ADDED,
    NOTHING_KEPT,
    ResponseHistory,
    ResponseKeeper,
)
from inference.faces.responses.output import ResponseOutput
from inference.faces.responses.resource import resource_of, response_id_of
from inference.protocol.response_parameters import ENCRYPTED

if TYPE_CHECKING:
    from collections.abc import Sequence

    from django.http.response import HttpResponseBase

    from inference.exchange.call import Call
    from inference.faces.responses.answer import Keep
    from inference.protocol.response_items import ItemBody
    from inference.protocol.response_parameters import ResponseRequestBody


@endpoint("/v1/responses", "POST", operation=Operation.RESPONSES, face=RESPONSES)
async def responses(call: Call) -> HttpResponseBase:
    """Answer what is new in a conversation, in one response or as a stream."""
    asked = await read_with(to_asked, call, user=_user(call.body))
    call.trace.asked_by(user=_user(call.body), metadata=_metadata(asked.body))
    body, limits, key_name = asked.body, call.app.limits, call.trace.record.key_name
    history = ResponseHistory(call.app.responses, key_name, limits=limits)
    before = await history.before(body)
    sent = await history.resolved(body.input, before)
    request, warnings = to_request(asked, before, sent, limits)
    keeper = _keeper(call, body, sent)
    for warning in warnings:
        call.trace.warn(warning)
    if body.background:
        return await answer_later(call, request, partial(_writer, call, body), keeper)
    return await answer(call, request, lambda key: _writer(call, body, key, keeper))


def _writer(
    call: Call, asked: ResponseRequestBody, model: str, keep: Keep | None
) -> ResponseWriter:
    response_id = response_id_of(call.trace.request_id)
    return ResponseWriter(
        resource_of(
            asked,
            response_id=response_id,
            created=call.now,
            model=model,
            is_stored=keep is not None,
        ),
        ResponseOutput(
            response_id.removeprefix("resp_"),
            asked.tools.shapes,
            hides_thinking=ENCRYPTED in asked.include,
        ),
        defaults=lambda: call.trace.record.defaults,
        now=lambda: call.now,
        keep=keep,
        only_prepares=asked.only_prepares,
    )


def _keeper(
    call: Call, asked: ResponseRequestBody, sent: Sequence[ItemBody]
) -> ResponseKeeper | None:
    """Return who keeps the answer, where it is to be kept and can be."""
    store = call.app.responses
    if not asked.store or store is None or not store.retention_s:
        if call.body.get("store"):
            call.trace.warn(NOTHING_KEPT)
        if asked.conversation:
            call.trace.warn(NOT_ADDED)
        return None
    return ResponseKeeper(store, asked, sent, key_name=call.trace.record.key_name)


def _metadata(asked: ResponseRequestBody) -> dict[str, str]:
    """Return what is noted of a request; agents name their session in a place apart."""
    named = asked.client_metadata or {}
    session = {"session_id": named["session_id"]} if "session_id" in named else {}
    return {**session, **asked.metadata}


def _user(body: dict[str, Any]) -> object:
    return body.get("user") or body.get("safety_identifier")
