"""POST /tokenize, /detokenize and /v1/chat/completions/render."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from inference.core.errors import InvalidRequestError
from inference.core.outcomes import Operation
from inference.exchange.answering import ignored_header
from inference.exchange.endpoint import endpoint
from inference.exchange.reading import read_with
from inference.exchange.replies import json_reply
from inference.faces.tokens.answer import rendered, tokenized
from inference.faces.tokens.body import to_detokenize, to_render, to_tokenize

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django.http.response import HttpResponseBase

    from inference.core.frames import PromptPrepared
    from inference.core.requests import CountRequest
    from inference.exchange.call import Call


@endpoint("/tokenize", "POST", operation=Operation.COUNT)
async def tokenize(call: Call) -> HttpResponseBase:
    """Tell the tokens of a text or of a conversation."""
    request, with_names = await read_with(to_tokenize, call)
    with _naming("prompt" if "prompt" in call.body else "messages"):
        prepared = await _prepared(call, request)
    return _reply(call, tokenized(prepared, with_names=with_names))


@endpoint("/detokenize", "POST", operation=Operation.COUNT)
async def detokenize(call: Call) -> HttpResponseBase:
    """Tell the text of tokens."""
    request = await read_with(to_detokenize, call)
    with _naming("tokens"):
        prepared = await _prepared(call, request)
    return _reply(call, {"prompt": prepared.text})


@endpoint("/v1/chat/completions/render", "POST", operation=Operation.COUNT)
async def render_chat(call: Call) -> HttpResponseBase:
    """Tell what a model would read of a conversation."""
    prepared = await _prepared(call, await read_with(to_render, call))
    return _reply(call, rendered(prepared, call.trace.record.model))


async def _prepared(call: Call, request: CountRequest) -> PromptPrepared:
    call.trace.describe_count(request)
    service = call.app.service
    key = await service.key_of(request.model)
    return await service.count(request.work, key, call.trace)


def _reply(call: Call, body: bytes | dict[str, str]) -> HttpResponseBase:
    return json_reply(body, headers=ignored_header(call.trace))


@contextmanager
def _naming(param: str) -> Iterator[None]:
    """Have refusals of the prompt name the field that carried it."""
    try:
        yield
    except InvalidRequestError as error:
        if error.param in ("prompt", "messages"):
            error.param = param
        raise
