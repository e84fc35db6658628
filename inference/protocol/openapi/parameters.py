"""The bodies of requests as JSON schemas, for the OpenAPI document."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from inference.protocol.body import parameters_of
from inference.protocol.declared import Refused, bounded_struct
from inference.protocol.openapi.shapes import Schema, ref

if TYPE_CHECKING:
    from inference.core.limits import Limits


def body_schemas(*bodies: type[msgspec.Struct], limits: Limits) -> Schema:
    """Return the schemas of bodies, and of all that lies within, by name.

    Names that are not here are allowed: they are ignored and listed. `null` is the
    same as leaving a field out.
    """
    _, schemas = msgspec.json.schema_components(
        [bounded_struct(body, limits, strict=False) for body in bodies],
        ref_template=ref("{name}")["$ref"],
    )
    for body in bodies:
        whole = schemas[_name(body)]
        whole["properties"] = {
            name: _refused(field.said)
            if isinstance(field.said, Refused)
            else whole["properties"][name]
            for name, field in parameters_of(body, limits).items()
        }
    return schemas


def _refused(said: Refused) -> Schema:
    passing = [*map(msgspec.json.decode, said.passing), None]
    return {"enum": passing, "description": said.description}


def _name(body: type[msgspec.Struct]) -> str:
    return body.__name__.removesuffix("Body")
