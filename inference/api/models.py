"""GET /v1/models and /v1/models/<id>."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inference.exchange.endpoint import endpoint
from inference.exchange.replies import json_reply
from inference.protocol.catalog import model_body, model_list_body

if TYPE_CHECKING:
    from django.http.response import HttpResponseBase

    from inference.exchange.call import Call


@endpoint("/v1/models", "GET")
async def model_list(call: Call) -> HttpResponseBase:
    """List the models that a request may name, loaded or not."""
    return json_reply(model_list_body(await call.app.service.known_cards()))


@endpoint("/v1/models/{id}", "GET")
async def model_detail(call: Call, model_id: str) -> HttpResponseBase:
    """Show one model; its id may contain slashes, encoded or not."""
    return json_reply(model_body(await call.app.service.find_model(model_id)))
