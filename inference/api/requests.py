"""POST /v1/requests/<id>/cancel: who began a request takes it back."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from inference.core.errors import NotFoundError
from inference.exchange.endpoint import endpoint
from inference.exchange.replies import json_reply

if TYPE_CHECKING:
    from django.http.response import HttpResponseBase

    from inference.exchange.call import Call

# An answer's id is its request's behind a word of its wire format.
_ANSWERS = re.compile(r"^(?:chatcmpl-|cmpl-|msg_|resp_)")
_SHOWN_CHARS = 64


@endpoint("/v1/requests/{id}/cancel", "POST", takes_body=False)
async def cancel_request(call: Call, request_id: str) -> HttpResponseBase:
    """End a generation that the same key began; another's is as good as none."""
    request_id = _ANSWERS.sub("req-", request_id)
    key_name = call.trace.record.key_name
    if not call.app.running.cancel_own(request_id, key_name=key_name):
        raise NotFoundError(
            f"No request '{request_id[:_SHOWN_CHARS]}' of this key is being answered.",
            code="request_not_found",
        )
    return json_reply(
        {"id": request_id, "object": "request.cancellation", "cancelled": True}
    )
