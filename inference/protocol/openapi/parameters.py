"""The table of parameters as JSON schemas, for the OpenAPI document."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from inference.protocol.body import BodySerializer
from inference.protocol.fields import (
    Choice,
    Number,
    OnlyDefault,
    Standing,
    StrictField,
    Text,
)
from inference.protocol.objects import MetadataField
from inference.protocol.openapi.shapes import Schema, array_of
from inference.protocol.parameters import Messages
from inference.protocol.sampling_fields import LogitBias, StopStrings, TokenIds
from inference.protocol.structure import Guided, ResponseFormat
from inference.protocol.tool_fields import ToolChoice, Tools

if TYPE_CHECKING:
    from collections.abc import Callable


_JSON_TYPES = {
    bool: "boolean",
    int: "integer",
    float: "number",
    str: "string",
    list: "array",
    dict: "object",
}


def body_schema(body: BodySerializer, *, required: tuple[str, ...] = ()) -> Schema:
    """Return the schema of an object whose fields are the serializer's.

    Names that are not here are allowed: they are ignored and listed.
    """
    schema: Schema = {
        "type": "object",
        "properties": {
            name: parameter_schema(field, is_required=name in required)
            for name, field in body.fields.items()
        },
    }
    if required:
        schema["required"] = list(required)
    return schema


def parameter_schema(field: Any, *, is_required: bool = False) -> Schema:
    """Return the schema of one parameter; `null` is the same as leaving it out."""
    schema = _values(field)
    if not is_required:
        schema = _or_null(schema)
    return schema | {"description": _description(field)}


def _values(field: Any) -> Schema:
    if isinstance(field, BodySerializer):
        return body_schema(field)
    for kind, to_schema in _OWN_SCHEMAS.items():
        if isinstance(field, kind):
            return to_schema(field)
    assert isinstance(field, StrictField)
    return _typed(field.types)


def _typed(types: tuple[type, ...]) -> Schema:
    names = [_JSON_TYPES[each] for each in types]
    if names == ["integer", "number"]:
        names = ["number"]
    schema: Schema = {"type": names[0] if len(names) == 1 else names}
    if "array" in names:
        schema["items"] = {}
    return schema


def _or_null(schema: Schema) -> Schema:
    if "enum" in schema:
        schema = schema | {"enum": [*schema["enum"], None]}
    if "type" not in schema:
        return schema if "enum" in schema else {"anyOf": [schema, {"type": "null"}]}
    types = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    return schema | {"type": [*types, "null"]}


def _description(field: Any) -> str:
    text = str(field.help_text or field.__class__.__doc__)
    parts = [text.rstrip(".") + "."]
    if field.standing is not Standing.HONOURED and "effect" not in text:
        parts.append(f"Standing: {field.standing.value}.")
    if field.absent:
        parts.append(f"Without it: {field.absent}.")
    if field.refuses:
        parts.append(f"Refused: {field.refuses}.")
    return " ".join(parts)


def _number(field: Number) -> Schema:
    low = "exclusiveMinimum" if field.above else "minimum"
    return {"type": field.kind.replace("decimal", "number")} | {
        low: field.low,
        "maximum": field.bound(field.high),
    }


def _text(field: Text) -> Schema:
    most = int(field.bound(field.limit))
    return {"type": "string", "minLength": int(not field.blank), "maxLength": most}


def _only_default(field: OnlyDefault) -> Schema:
    return {"enum": list(field.defaults)}


def _messages(field: Messages) -> Schema:
    return array_of(
        {"$ref": "#/components/schemas/ChatMessage"}, 1, field.limits.messages
    )


def _stops(field: StopStrings) -> Schema:
    stop = {"type": "string", "minLength": 1, "maxLength": field.limits.stop_chars}
    return {"anyOf": [stop, array_of(stop, 0, field.limits.stops)]}


def _token_ids(field: TokenIds) -> Schema:
    token = {"type": "integer", "minimum": 0, "maximum": field.limits.token_id}
    return array_of(token, 0, field.limits.stop_token_ids)


def _biases(field: LogitBias) -> Schema:
    return {
        "type": "object",
        "propertyNames": {"pattern": "^[0-9]+$"},
        "additionalProperties": {"type": "number", "minimum": -100, "maximum": 100},
        "maxProperties": field.limits.logit_bias,
    }


def _metadata(field: MetadataField) -> Schema:
    limits = field.limits
    value = {"type": "string", "maxLength": limits.metadata_value_chars}
    return {
        "type": "object",
        "propertyNames": {"maxLength": limits.metadata_key_chars},
        "additionalProperties": value,
        "maxProperties": limits.metadata,
    }


def _tools(field: Tools) -> Schema:
    return array_of({"$ref": "#/components/schemas/Tool"}, 0, field.limits.tools)


def _tool_choice(_field: ToolChoice) -> Schema:
    named = {
        "type": "object",
        "required": ["type", "function"],
        "properties": {
            "type": {"const": "function"},
            "function": {
                "type": "object",
                "required": ["name"],
                "properties": {"name": {"type": "string"}},
            },
        },
    }
    return {"anyOf": [{"enum": ["none", "auto", "required"]}, named]}


def _response_format(_field: ResponseFormat) -> Schema:
    def of_type(kind: str, **more: Schema) -> Schema:
        return {
            "type": "object",
            "required": ["type", *more],
            "properties": {"type": {"const": kind}, **more},
        }

    schema = {
        "type": "object",
        "required": ["name", "schema"],
        "properties": {
            "name": {"type": "string"},
            "description": {"type": "string"},
            "schema": {"type": "object"},
            "strict": {"type": ["boolean", "null"]},
        },
    }
    shapes = [
        of_type("text"),
        of_type("json_object"),
        of_type("json_schema", json_schema=schema),
    ]
    return {"anyOf": shapes}


def _guided(field: Guided) -> Schema:
    limits = field.limits
    text = {"type": "string", "minLength": 1}
    by_kind: dict[str, Schema] = {
        "json": {"type": ["object", "string"]},
        "regex": text | {"maxLength": limits.regex_chars},
        "choice": array_of(text, 1, limits.grammar_choices),
        "grammar": text | {"maxLength": limits.grammar_chars},
    }
    return by_kind[field.kind]


# Number before what it is a case of; the first match is taken.
_OWN_SCHEMAS: dict[type, Callable[[Any], Schema]] = {
    Number: _number,
    Text: _text,
    Choice: lambda field: {"type": "string", "enum": list(field.choices)},
    OnlyDefault: _only_default,
    Messages: _messages,
    StopStrings: _stops,
    TokenIds: _token_ids,
    LogitBias: _biases,
    MetadataField: _metadata,
    Tools: _tools,
    ToolChoice: _tool_choice,
    ResponseFormat: _response_format,
    Guided: _guided,
}
