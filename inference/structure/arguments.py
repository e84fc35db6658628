"""What the arguments of a call obey."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from inference.core.requests import Tool

_NO_ARGUMENTS = {"type": "object", "properties": {}, "additionalProperties": False}
# With one of these, a schema without properties still says which there may be.
# A schema with no other keywords, and no properties, describes no arguments.
_CLOSED_KEYS = frozenset({"type", "properties", "required", "title", "description"})


def arguments_of(tool: Tool) -> dict[str, Any]:
    """Return what a tool's arguments obey: an object, whatever else its schema admits.

    Where no properties are named and nothing opens others, there are none.
    """
    if tool.enforced is not None:
        return tool.enforced
    schema = tool.parameters
    if not schema.get("properties") and schema.keys() <= _CLOSED_KEYS:
        return _NO_ARGUMENTS
    return {**schema, "type": "object"}
