"""Which address leads where, for HTTP and for WebSockets."""

from __future__ import annotations

from django.urls import path, re_path

from inference.api.health import health, ready
from inference.api.models import model_detail, model_list
from inference.api.ollama import running, show, tags, version
from inference.api.queue import queue_requests, queue_stats
from inference.api.requests import cancel_request
from inference.api.unknown import MISDIRECTED, unknown_path
from inference.consumers import ChatConsumer, UnknownPathConsumer
from inference.faces.chat.view import chat_completions
from inference.faces.completions.view import completions
from inference.faces.embeddings.view import embeddings
from inference.faces.loading.view import model_load, model_unload
from inference.faces.messages.view import count_tokens, messages
from inference.faces.rerank.view import rerank
from inference.faces.responses.conversations import (
    conversation,
    conversation_create,
    conversation_item,
    conversation_items,
)
from inference.faces.responses.stored import (
    input_items,
    response_cancel,
    stored_response,
)
from inference.faces.responses.view import responses
from inference.faces.tokens.view import detokenize, render_chat, tokenize

urlpatterns = [
    path("health", health),
    path("health/ready", ready),
    path("tokenize", tokenize),
    path("detokenize", detokenize),
    path("v1/chat/completions", chat_completions),
    path("v1/chat/completions/render", render_chat),
    path("v1/completions", completions),
    path("v1/embeddings", embeddings),
    *(path(address, rerank) for address in ("v1/rerank", "v2/rerank", "rerank")),
    path("v1/messages", messages),
    path("v1/messages/count_tokens", count_tokens),
    path("v1/responses", responses),
    path("v1/responses/<str:response_id>", stored_response),
    path("v1/responses/<str:response_id>/cancel", response_cancel),
    path("v1/responses/<str:response_id>/input_items", input_items),
    path("v1/conversations", conversation_create),
    path("v1/conversations/<str:conversation_id>", conversation),
    path("v1/conversations/<str:conversation_id>/items", conversation_items),
    path(
        "v1/conversations/<str:conversation_id>/items/<str:item_id>", conversation_item
    ),
    path("v1/models", model_list),
    path("v1/models/load", model_load),
    path("v1/models/unload", model_unload),
    re_path(r"^v1/models/(?:load|unload)/+$", unknown_path),
    path("v1/models/<path:model_id>", model_detail),
    path("v1/queue/stats", queue_stats),
    path("v1/queue/requests", queue_requests),
    path("api/version", version),
    path("api/tags", tags),
    path("api/show", show),
    path("api/ps", running),
    path("v1/requests/<str:request_id>/cancel", cancel_request),
    re_path(r"^v1(?:/[\s\S]*)?$", unknown_path),
    re_path(MISDIRECTED, unknown_path),
]

websocket_urlpatterns = [
    path("ws/chat", ChatConsumer.as_asgi()),
    re_path(r"", UnknownPathConsumer.as_asgi()),
]

UNKNOWN_ENDPOINT = "/v1/*"
_FIXED_PATHS = frozenset(
    f"/{pattern.pattern}"
    for pattern in (*urlpatterns, websocket_urlpatterns[0])
    if "<" not in str(pattern.pattern)
)


def endpoint_of(path: str) -> str:
    """Return what the record calls the endpoint of a request that no view saw.

    Never the client's own words: charts and figures have a line for each.
    """
    if not path or path in _FIXED_PATHS:
        return path
    return UNKNOWN_ENDPOINT
