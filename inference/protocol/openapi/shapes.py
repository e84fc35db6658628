"""The small pieces that schemas and paths of the document are made of."""

from __future__ import annotations

from typing import Any

Schema = dict[str, Any]

STRING: Schema = {"type": "string"}
TEXT_OR_NULL: Schema = {"type": ["string", "null"]}
COUNT: Schema = {"type": "integer", "minimum": 0}
COUNT_OR_NULL: Schema = {"type": ["integer", "null"]}
NUMBER: Schema = {"type": "number"}
NUMBER_OR_NULL: Schema = {"type": ["number", "null"]}
FLAG: Schema = {"type": "boolean"}


def ref(name: str) -> Schema:
    """Return a reference to a schema of the document."""
    return {"$ref": f"#/components/schemas/{name}"}


def answer(text: str, schema: Schema, *, kind: str = "application/json") -> Schema:
    """Return a response."""
    return {"description": text, "content": {kind: {"schema": schema}}}


def refusals(**texts: str) -> Schema:
    """Return error responses: `status_400="..."`."""
    return {
        name.removeprefix("status_"): answer(text, ref("Error"))
        for name, text in texts.items()
    }


def object_of(required: bool = True, /, **properties: Schema) -> Schema:
    schema: Schema = {"type": "object", "properties": properties}
    return schema | {"required": list(properties)} if required else schema


def list_of(items: Schema) -> Schema:
    return {"type": "array", "items": items}
