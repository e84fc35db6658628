"""What the OpenAPI document says of `/api/` and `/metrics`, read from the views."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rest_framework import serializers

from metrics.api.events import EventList
from metrics.api.history import HistorySeries, history_schemas
from metrics.api.models import ModelList
from metrics.api.requests import RequestDetail, RequestList
from metrics.api.rollups import RollupList
from metrics.serializers import (
    BOUNDS,
    QUANTILES,
    EventSerializer,
    ModelCardSerializer,
    RequestDetailSerializer,
    RequestSerializer,
    RollupSerializer,
)

if TYPE_CHECKING:
    from metrics.api.views import ReadView
    from metrics.selection.parameters import Parameter

Schema = dict[str, Any]
SerializerClass = type[serializers.Serializer[Any]]

_SERIALIZERS: dict[str, SerializerClass] = {
    "Request": RequestSerializer,
    "RequestDetail": RequestDetailSerializer,
    "Rollup": RollupSerializer,
    "Event": EventSerializer,
    "ModelCard": ModelCardSerializer,
}
_LISTED = ("Request", "Rollup", "Event", "ModelCard")
_REFUSALS = {
    "400": "A parameter is not known, or its value means nothing.",
    "401": "A key is needed, or this is none.",
    "403": "Only programs on the server's own machine may read this without a key.",
}


def record_paths() -> Schema:
    """Return the paths of `/api/` and `/metrics`."""
    detail = _operation(RequestDetail, "RequestDetail")
    detail["parameters"] = [
        {
            "name": "request_id",
            "in": "path",
            "required": True,
            "description": "What its client saw as `x-request-id`.",
            "schema": {"type": "string"},
        }
    ]
    detail["responses"]["404"] = _refusal("There is none.")
    operations = {
        "/api/requests": _operation(RequestList, "RequestList"),
        "/api/requests/{request_id}": detail,
        "/api/history": _operation(HistorySeries, "History"),
        "/api/rollups": _operation(RollupList, "RollupList"),
        "/api/events": _operation(EventList, "EventList"),
        "/api/models": _operation(ModelList, "ModelCardList"),
        "/metrics": _scrape(),
    }
    return {path: {"get": operation} for path, operation in operations.items()}


def record_schemas() -> Schema:
    """Return the schemas of `/api/`."""
    return {
        **{name: _object(kind()) for name, kind in _SERIALIZERS.items()},
        **{f"{name}List": _list(name) for name in _LISTED},
        **history_schemas(),
    }


def _operation(view: type[ReadView], schema: str) -> Schema:
    body = {"schema": {"$ref": f"#/components/schemas/{schema}"}}
    done = {"description": "Done.", "content": {"application/json": body}}
    refusals = {status: _refusal(text) for status, text in _REFUSALS.items()}
    return {
        "tags": ["record"],
        "summary": view.summary,
        "description": str(view.__doc__).replace("\n    ", "\n"),
        "parameters": [_parameter(each) for each in view.parameters],
        "responses": {"200": done, **refusals},
        "security": [{"key": []}, {"session": []}, {}],
    }


def _refusal(text: str) -> Schema:
    body = {"schema": {"$ref": "#/components/schemas/Error"}}
    return {"description": text, "content": {"application/json": body}}


def _parameter(parameter: Parameter) -> Schema:
    return {
        "name": parameter.name,
        "in": "query",
        "description": parameter.text,
        "schema": parameter.schema,
    }


def _scrape() -> Schema:
    body = {"text/plain": {"schema": {"type": "string"}}}
    return {
        "tags": ["metrics"],
        "summary": "The figures of this server run, for Prometheus.",
        "description": "With METRICS_KEY, for its holders. Without one, for programs "
        "on the server's own machine and holders of the API key. OpenMetrics where "
        "`Accept` asks for it.",
        "responses": {
            "200": {"description": "The figures.", "content": body},
            "401": _refusal(_REFUSALS["401"]),
            "403": _refusal(_REFUSALS["403"]),
        },
        "security": [{"key": []}, {}],
    }


def _list(name: str) -> Schema:
    items = {"type": "array", "items": {"$ref": f"#/components/schemas/{name}"}}
    properties: Schema = {
        "object": {"const": "list"},
        "data": items,
        "has_more": {"type": "boolean"},
        "next_cursor": {"type": ["string", "null"]},
    }
    if name == "Rollup":
        numbers = {"type": "array", "items": {"type": "number"}}
        properties["bounds"] = {
            "type": "object",
            "description": "Upper bounds of the histograms' buckets in seconds; each "
            "has one count more, for what lies above.",
            "properties": dict.fromkeys(BOUNDS, numbers),
        }
    return {"type": "object", "properties": properties, "required": list(properties)}


def _object(serializer: serializers.Serializer[Any]) -> Schema:
    properties = {name: _field(field) for name, field in serializer.fields.items()}
    return {
        "type": "object",
        "description": str(serializer.__doc__),
        "properties": properties,
        "required": list(properties),
    }


def _field(field: Any) -> Schema:
    schema = dict(_SHAPES.get(field.field_name) or _typed(field))
    if field.allow_null and isinstance(schema.get("type"), str):
        schema["type"] = [schema["type"], "null"]
    if field.help_text:
        schema["description"] = str(field.help_text)
    return schema


def _typed(field: Any) -> Schema:
    for kind, schema in _TYPES.items():
        if isinstance(field, kind):
            return schema
    if isinstance(field, serializers.ChoiceField):
        words = list(field.choices)
        return {"type": "string", "enum": [*words, ""] if field.allow_blank else words}
    assert isinstance(field, serializers.CharField), field
    return {"type": "string"}


_STRINGS = {"type": "array", "items": {"type": "string"}}
_COUNTS = {"type": "array", "items": {"type": "integer", "minimum": 0}}
_TYPES: dict[type, Schema] = {
    serializers.BooleanField: {"type": "boolean"},
    serializers.IntegerField: {"type": "integer"},
    serializers.FloatField: {"type": "number"},
    serializers.DateTimeField: {"type": "string", "format": "date-time"},
    serializers.ListField: _STRINGS,
    serializers.JSONField: {"type": "object"},
}
_NUMBER_OR_NULL = {"type": ["number", "null"]}
_QUANTILES = {"type": "object", "properties": dict.fromkeys(QUANTILES, _NUMBER_OR_NULL)}
# What a JSON column or a method holds is not in its field.
_SHAPES: dict[str, Schema] = {
    "warnings": _STRINGS,
    **dict.fromkeys(BOUNDS, _COUNTS),
    "quantiles": {"type": "object", "properties": dict.fromkeys(BOUNDS, _QUANTILES)},
    "source": {"type": ["string", "null"]},
}
