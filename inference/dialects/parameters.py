"""A tool's parameters one by one, for families that write them so."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from inference.dialects.schema_types import resolved
from inference.structure.arguments import arguments_of
from inference.structure.patterns import ANNOTATIONS, CannotWriteError

if TYPE_CHECKING:
    from inference.core.requests import Tool

_OBJECT_KEYS = frozenset({"properties", "required", "additionalProperties"})


@dataclass(frozen=True, slots=True)
class Parameters:
    """What an object's members have to be: name, schema, whether they are required.

    `is_open`: others may come. `root` is what references are in.
    """

    members: tuple[tuple[str, Any, bool], ...]
    is_open: bool
    root: dict[str, Any]


def parameters_of(tool: Tool) -> Parameters:
    """Return the parameters of a tool.

    Raises:
        CannotWriteError: its schema says more than which there are.
    """
    schema = arguments_of(tool)
    return members_of(schema, schema)


def members_of(schema: Any, root: dict[str, Any]) -> Parameters:
    """Return the members of an object; as `parameters_of` does."""
    whole = resolved(schema, root)
    properties, required = whole.get("properties", {}), whole.get("required", [])
    if not isinstance(properties, dict) or not isinstance(required, list):
        raise CannotWriteError("it is no schema")
    if whole.keys() - ANNOTATIONS - _OBJECT_KEYS or set(required) - properties.keys():
        raise CannotWriteError("a keyword is not one of properties")
    said = whole.get("additionalProperties", not properties)
    if said not in (True, False, {}):
        raise CannotWriteError("other properties have a schema")
    members = tuple(
        (name, part, name in required)
        for name, part in properties.items()
        if part is not False
    )
    return Parameters(members, said is not False, root)
