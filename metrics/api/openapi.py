"""What the OpenAPI document says of `/api/` and `/metrics`.

drf-spectacular reads paths, parameters and serializers from the views. Imported where
the document is made: it costs a server that is not asked for it nothing.
"""

from __future__ import annotations

from inspect import cleandoc
from typing import TYPE_CHECKING, Any

from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.plumbing import ResolvedComponent
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse
from rest_framework.serializers import JSONField

from metrics.api.history import history_schemas
from metrics.api.urls import urlpatterns
from metrics.serializers import BOUNDS, QUANTILES

if TYPE_CHECKING:
    from collections.abc import Iterable

    from metrics.api.views import ReadView

Schema = dict[str, Any]

ERROR: Schema = {"$ref": "#/components/schemas/Error"}
REFUSALS = {
    "400": "An unknown parameter, or an invalid value.",
    "401": "No key, or a wrong one.",
    "403": "Without a key, only programs on the server's own machine may read this.",
}
_QUANTILES: Schema = {
    "type": "object",
    "properties": {word: {"type": ["number", "null"]} for word in QUANTILES},
}
_COUNTS: Schema = {"type": "array", "items": {"type": "integer", "minimum": 0}}
# What JSON columns and methods of serializers hold.
_SHAPES: dict[str, Schema] = {
    "warnings": {"type": "array", "items": {"type": "string"}},
    **dict.fromkeys(BOUNDS, _COUNTS),
    "quantiles": {
        "type": "object",
        "description": "p50, p95 and p99 in seconds, from the histograms.",
        "properties": dict.fromkeys(BOUNDS, _QUANTILES),
    },
    "source": {
        "type": ["string", "null"],
        "description": "A hub id; null for a local folder.",
    },
}
REQUEST_ID = OpenApiParameter(
    "request_id",
    location=OpenApiParameter.PATH,
    description="What its client saw as `x-request-id`.",
)


def api_document(more_patterns: Iterable[Any] = ()) -> tuple[Schema, Schema]:
    """Return the paths and the schemas of `/api/` and `/metrics`."""
    generator = SchemaGenerator(patterns=[*urlpatterns, *more_patterns])
    document = generator.get_schema(request=None, public=True)
    paths = {**document["paths"], "/metrics": {"get": _scrape()}}
    return paths, {**document["components"]["schemas"], **history_schemas()}


class ReadSchema(AutoSchema):  # type: ignore[misc]  # not typed
    """Reads a `ReadView`: its texts, its parameters, and what it answers."""

    view: ReadView

    def get_operation_id(self) -> str:
        """Return what generated clients call it: `RequestList`."""
        return type(self.view).__name__

    def get_summary(self) -> str:
        """Return the line above the operation."""
        return self.view.summary

    def get_description(self) -> str:
        """Return the text of the operation."""
        return cleandoc(str(self.view.__doc__))

    def get_tags(self) -> list[str]:
        """Return the chapter it stands in."""
        return ["record"]

    def get_auth(self) -> list[dict[str, list[str]]]:
        """Return who may read: see `StaffOrKey`."""
        return [{"key": []}, {"session": []}, {}]

    def get_override_parameters(self) -> list[OpenApiParameter]:
        """Return what may be asked for."""
        of_path = [REQUEST_ID] if "{request_id}" in self.path else []
        of_query = (
            OpenApiParameter(each.name, type=each.schema, description=each.text)
            for each in self.view.parameters
        )
        return [*of_path, *of_query]

    def get_response_serializers(self) -> dict[str, OpenApiResponse]:
        """Return the answer and the refusals."""
        refusals = dict(REFUSALS)
        if "{request_id}" in self.path:
            refusals["404"] = "No such request."
        return {
            "200": OpenApiResponse(self._answer(), description="Success."),
            **{
                status: OpenApiResponse(ERROR, description=text)
                for status, text in refusals.items()
            },
        }

    def _answer(self) -> Schema:
        view = self.view
        if view.serializer_class is None:
            return dict(view.answer)
        item = self.resolve_serializer(view.serializer_class(), "response")
        if not view.is_list:
            return dict(item.ref)
        properties: Schema = {
            "object": {"const": "list"},
            "data": {"type": "array", "items": item.ref},
            "has_more": {"type": "boolean"},
            "next_cursor": {"type": ["string", "null"]},
            **view.answer,
        }
        component = ResolvedComponent(
            name=f"{item.name}List",
            type=ResolvedComponent.SCHEMA,
            schema=_whole(properties),
            object=view,
        )
        self.registry.register_on_missing(component)
        return dict(component.ref)

    def _map_serializer_field(self, field: Any, *args: Any, **options: Any) -> Schema:
        """Say what JSON columns and methods hold."""
        if field.field_name in _SHAPES:
            return _SHAPES[field.field_name]
        if isinstance(field, JSONField):
            return {"type": "object"}
        return dict(super()._map_serializer_field(field, *args, **options))

    def _map_basic_serializer(self, serializer: Any, direction: str) -> Schema:
        """Every field is always there; the most it may be is its database's business."""
        schema = super()._map_basic_serializer(serializer, direction)
        for each in schema["properties"].values():
            each.pop("maximum", None)
            each.pop("x-spec-enum-id", None)
        return {**schema, **_whole(schema["properties"])}


def _whole(properties: Schema) -> Schema:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
    }


def _scrape() -> Schema:
    body = {"text/plain": {"schema": {"type": "string"}}}
    refusal = {"application/json": {"schema": ERROR}}
    return {
        "tags": ["metrics"],
        "summary": "Prometheus metrics of this server run.",
        "description": "With METRICS_KEY, for its holders. Without one, for programs "
        "on the server's own machine and holders of the API key. OpenMetrics where "
        "`Accept` asks for it.",
        "responses": {
            "200": {"description": "The metrics.", "content": body},
            **{
                status: {"description": REFUSALS[status], "content": refusal}
                for status in ("401", "403")
            },
        },
        "security": [{"key": []}, {}],
    }
