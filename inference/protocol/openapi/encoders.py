"""What the OpenAPI document says of embeddings and rankings."""

from __future__ import annotations

from inference.protocol.openapi.shapes import (
    COUNT,
    NUMBER,
    STRING,
    Schema,
    answer,
    list_of,
    object_of,
    ref,
    refusals,
)

_HEADERS = {
    "x-request-id": "The id of its row.",
    "x-ignored-params": "Names in the body that mean nothing here.",
}


def encoder_paths() -> Schema:
    """Return the paths of embeddings and rankings."""
    rerank = {
        "post": _operation(
            "Tell how relevant documents are to a query, best first.",
            "Ranking",
            body="RerankRequest",
        )
    }
    return {
        "/v1/embeddings": {
            "post": _operation(
                "Make a vector of each input.", "Embeddings", body="EmbeddingsRequest"
            )
        },
        **dict.fromkeys(("/v1/rerank", "/v2/rerank", "/rerank"), rerank),
    }


def encoder_schemas() -> Schema:
    """Return the schemas of what is answered."""
    usage = object_of(prompt_tokens=COUNT, total_tokens=COUNT)
    result = object_of(index=COUNT, relevance_score=NUMBER)
    result["properties"]["document"] = object_of(text=STRING)
    meta = object_of(tokens=object_of(input_tokens=COUNT))
    meta["properties"]["warnings"] = list_of(STRING)
    return {
        "Embeddings": object_of(
            object={"const": "list"},
            data=list_of(
                object_of(
                    object={"const": "embedding"},
                    index=COUNT,
                    embedding={
                        "anyOf": [list_of(NUMBER), STRING],
                        "description": "Numbers, or float32 in base64.",
                    },
                )
            ),
            model=STRING,
            usage=usage,
        ),
        "Ranking": object_of(
            id=STRING,
            object={"const": "list"},
            model=STRING,
            results=list_of(result),
            usage=usage,
            meta=meta,
        ),
    }


def _operation(summary: str, schema: str, *, body: str) -> Schema:
    done = answer("Done.", ref(schema))
    done["headers"] = {
        name: {"description": text, "schema": STRING} for name, text in _HEADERS.items()
    }
    failures = refusals(
        status_400="What is wrong, and which parameter it is about.",
        status_401="A key is needed, or this is none.",
        status_404="The model is not known here.",
        status_429="Every waiting place is taken.",
        status_503="No seat came free in time, or no model can answer.",
        status_504="The request took longer than the server allows.",
    )
    return {
        "tags": ["embeddings"],
        "summary": summary,
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": ref(body)}},
        },
        "responses": {"200": done, **failures},
    }
