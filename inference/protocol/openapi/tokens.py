"""The schemas of what is told of a prompt's tokens."""

from __future__ import annotations

from inference.protocol.openapi.shapes import (
    COUNT,
    STRING,
    Schema,
    list_of,
    object_of,
)


def token_schemas() -> Schema:
    """Return the schemas of what is answered."""
    tokens = {
        "count": COUNT,
        "max_model_len": COUNT,
        "tokens": list_of(COUNT),
        "token_strs": {"type": ["array", "null"], "items": STRING},
    }
    return {
        "Tokens": object_of(**tokens),
        "Text": object_of(prompt=STRING),
        "RenderedChat": object_of(
            object={"const": "chat.completion.render"},
            model=STRING,
            prompt=STRING,
            **tokens,
        ),
    }
