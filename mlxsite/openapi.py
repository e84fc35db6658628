"""The OpenAPI document of everything that is served: composed once, then kept."""

from __future__ import annotations

from functools import cache
from typing import Any

from inference.protocol.openapi import server_paths, server_schemas
from mlxsite import __version__

DESCRIPTION = (
    "An OpenAI-compatible server for MLX models, with a record of its requests. Keys are sent as "
    "`Authorization: Bearer KEY` or as `x-api-key`. Without a key on the server, `/v1` "
    "is open to whoever reaches it, `/api/` and `/metrics` to its own machine. Errors "
    "have OpenAI's shape everywhere."
)
TAGS = {
    "chat": "Answers.",
    "embeddings": "Vectors of texts, and documents by their relevance.",
    "tokens": "Of which tokens a prompt is made.",
    "responses": "Stored responses and conversations.",
    "models": "Models and their life in memory.",
    "queue": "The load at this moment.",
    "record": "The record of requests and events.",
    "metrics": "Metrics for monitoring.",
    "health": "For load balancers and supervisors.",
}


@cache
def document() -> dict[str, Any]:
    """Return the document."""
    # Here, because a server that nobody asks for it needs none of what reads the views.
    from metrics.api.openapi import api_document
    from mlxsite.api_pages import urlpatterns

    paths, schemas = api_document(urlpatterns)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "mlx-server",
            "version": __version__,
            "description": DESCRIPTION,
        },
        "tags": [{"name": name, "description": text} for name, text in TAGS.items()],
        "security": [{"key": []}, {"x_api_key": []}, {}],
        "paths": {**server_paths(), **paths},
        "components": {
            "schemas": {**server_schemas(), **schemas},
            "securitySchemes": {
                "key": {"type": "http", "scheme": "bearer"},
                "x_api_key": {"type": "apiKey", "in": "header", "name": "x-api-key"},
                "session": {
                    "type": "apiKey",
                    "in": "cookie",
                    "name": "sessionid",
                    "description": "Staff who are logged in to the admin.",
                },
            },
        },
    }
