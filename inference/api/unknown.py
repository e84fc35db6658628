"""Paths that do not exist: a JSON answer with the right address, and a row for a POST."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from django.urls import Resolver404, resolve

from inference.core.errors import NotFoundError
from inference.core.near_names import near_names
from inference.exchange.endpoint import endpoint

if TYPE_CHECKING:
    from django.http.response import HttpResponseBase

    from inference.exchange.call import Call

_SHOWN_CHARS = 200
CHAT = "/v1/chat/completions"
EMBEDDINGS, RERANK = "/v1/embeddings", "/v1/rerank"
COMPLETIONS, MESSAGES, RESPONSES = "/v1/completions", "/v1/messages", "/v1/responses"
OFFERED = (
    CHAT,
    COMPLETIONS,
    MESSAGES,
    RESPONSES,
    EMBEDDINGS,
    RERANK,
    "/v1/models",
    "/v1/models/load",
    "/v1/models/unload",
)
# What clients of other servers ask for, and what does the same here.
INSTEAD = {
    "completions": COMPLETIONS,
    "responses": RESPONSES,
    "messages": MESSAGES,
    "chat": CHAT,
    "tokenize": "/tokenize",
    "detokenize": "/detokenize",
    "generate": CHAT,
    "edits": CHAT,
    "embed": EMBEDDINGS,
    "score": RERANK,
    "tags": "/v1/models",
    "engines": "/v1/models",
    **dict.fromkeys(
        (
            "assistants",
            "audio",
            "batches",
            "files",
            "fine_tuning",
            "images",
            "moderations",
            "realtime",
            "threads",
            "uploads",
            "vector_stores",
            "videos",
        ),
        "",
    ),
}
# Addresses under other prefixes than /v1, as far as no page of the site has them;
# as routes are written, without the first slash.
MISDIRECTED = (
    r"^(?:/+v1|/*(?:api|openai)/+v1|/*chat/+completions|/*api/+(?:chat|generate|tags)"
    r"|/*(?:completions|embeddings|messages|models|responses))(?:/|$)"
)
_PREFIXES = ("api", "openai", "v1")
_misdirected = re.compile(MISDIRECTED)


def is_misdirected(path: str) -> bool:
    """Whether this is a call to the API at an address that it does not have."""
    return _misdirected.match(path.removeprefix("/")) is not None


@endpoint("/v1/*")
async def unknown_path(call: Call) -> HttpResponseBase:
    """Refuse whatever it is."""
    request, path = call.request, call.request.path[:_SHOWN_CHARS]
    raise NotFoundError(
        f"Unknown request URL: {request.method} {path}. {_advice(path)}",
        code="unknown_url",
    )


def _advice(path: str) -> str:
    words = [word for word in path.split("/") if word]
    while words and words[0] in _PREFIXES:
        words.pop(0)
    address = "/".join(("/v1", *words))
    if _leads_somewhere(address):
        return f"The right address is {address} (base URL: this server's, with /v1)."
    if words and words[0] in INSTEAD:
        instead = INSTEAD[words[0]]
        use = f": use {instead}" if instead else ""
        return f"This server does not offer that endpoint{use}."
    near = near_names(address, OFFERED)
    if near:
        return f"Did you mean {near[0]}?"
    return "Please check the URL for typos."


def _leads_somewhere(address: str) -> bool:
    try:
        return resolve(address).func is not unknown_path
    except Resolver404:
        return False
