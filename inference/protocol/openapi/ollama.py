"""What the OpenAPI document says of Ollama's reads."""

from __future__ import annotations

from inference.protocol.openapi.shapes import (
    COUNT,
    STRING,
    Schema,
    answer,
    list_of,
    object_of,
    ref,
)


def ollama_paths() -> Schema:
    """Return the paths of what clients of Ollama read."""
    asked = object_of(model=STRING)
    show = _operation("Show one model, as Ollama does.", "OllamaModel", "404", "400")
    show["requestBody"] = {
        "required": True,
        "content": {"application/json": {"schema": asked}},
    }
    return {
        "/api/version": {
            "get": _operation("Whose shapes these answers have.", "OllamaVersion")
        },
        "/api/tags": {
            "get": _operation("List the models, as Ollama does.", "OllamaModels")
        },
        "/api/ps": {
            "get": _operation("The models in memory, as Ollama.", "OllamaRunning")
        },
        "/api/show": {"post": show},
    }


def ollama_schemas() -> Schema:
    """Return the schemas of what is answered."""
    details = object_of(
        parent_model=STRING,
        format=STRING,
        family=STRING,
        families=list_of(STRING),
        parameter_size=STRING,
        quantization_level=STRING,
    )
    head = {"name": STRING, "model": STRING, "digest": STRING, "details": details}
    tag = object_of(**head, modified_at=STRING, size=COUNT)
    running = object_of(
        **head, size=COUNT, size_vram=COUNT, context_length=COUNT, expires_at=STRING
    )
    return {
        "OllamaError": object_of(error=STRING),
        "OllamaVersion": object_of(version=STRING),
        "OllamaModels": object_of(models=list_of(tag)),
        "OllamaRunning": object_of(models=list_of(running)),
        "OllamaModel": object_of(
            modelfile=STRING,
            parameters=STRING,
            template=STRING,
            details=details,
            model_info={"type": "object"},
            capabilities=list_of(STRING),
            modified_at=STRING,
        ),
    }


def _operation(summary: str, schema: str, *failures: str) -> Schema:
    texts = {
        "400": "What is wrong.",
        "401": "A key is needed, or this is none.",
        "404": "The model is not known here.",
    }
    refused = {
        status: answer(texts[status], ref("OllamaError"))
        for status in ("401", *failures)
    }
    responses = {"200": answer("Done.", ref(schema)), **refused}
    return {"tags": ["models"], "summary": summary, "responses": responses}
