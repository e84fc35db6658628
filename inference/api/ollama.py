"""What clients of Ollama read before they ask: version, models, one model, what runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inference.core.errors import InvalidRequestError
from inference.core.outcomes import ModelState
from inference.exchange.endpoint import endpoint
from inference.exchange.replies import json_reply
from inference.exchange.writers import Face
from inference.protocol.ollama_catalog import (
    SPOKEN_VERSION,
    USUAL_TAG,
    ollama_error_body,
    running_body,
    show_body,
    tags_body,
)

if TYPE_CHECKING:
    from django.http.response import HttpResponseBase

    from inference.exchange.call import Call

OLLAMA = Face(lambda error, _request_id: ollama_error_body(error))
OLLAMA_PATHS = frozenset({"/api/version", "/api/tags", "/api/show", "/api/ps"})


@endpoint("/api/version", "GET", face=OLLAMA)
async def version(_call: Call) -> HttpResponseBase:
    """Tell whose shapes the answers have."""
    return json_reply({"version": SPOKEN_VERSION})


@endpoint("/api/tags", "GET", face=OLLAMA)
async def tags(call: Call) -> HttpResponseBase:
    """List the models that a request may name, loaded or not."""
    return json_reply(tags_body(await call.app.service.known_cards()))


@endpoint("/api/ps", "GET", face=OLLAMA)
async def running(call: Call) -> HttpResponseBase:
    """List the models in memory."""
    cards = call.app.service.cards()
    return json_reply(running_body(c for c in cards if c.state == ModelState.READY))


@endpoint("/api/show", "POST", face=OLLAMA)
async def show(call: Call) -> HttpResponseBase:
    """Show one model."""
    return json_reply(show_body(await call.app.service.find_model(_model_of(call))))


def _model_of(call: Call) -> str:
    """Return the name that was asked for; `name` is what older clients call it."""
    name = call.body.get("model", call.body.get("name"))
    call.trace.asked_for(name, stream=False)
    name = name.removesuffix(USUAL_TAG) if isinstance(name, str) else ""
    most = call.app.limits.model_path_chars
    if not 0 < len(name) <= most:
        raise InvalidRequestError(
            f"'model' must be a name of 1 to {most} characters.", param="model"
        )
    return name
