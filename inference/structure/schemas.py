"""JSON schemas as llguidance takes them: one rigid way of writing each answer."""

from __future__ import annotations

import json
from typing import Any

from inference.structure.closing import closed

# One space after commas and colons and no other whitespace: a weak model that may
# write whitespace writes it until its tokens run out. Without \u escapes each key
# has one spelling, or "a" and "\u0061" could give one property twice and the
# second one escape its schema.
OPTIONS: dict[str, Any] = {
    "whitespace_flexible": False,
    "item_separator": ", ",
    "key_separator": ": ",
    "lenient": False,
    "coerce_one_of": False,
    "json_allowed_escapes": '"\\bfnrt',
}

# Keywords that llguidance refuses by name though these values forbid nothing.
_IDLE: dict[str, tuple[Any, ...]] = {
    "uniqueItems": (False,),
    "unevaluatedProperties": (True, {}),
    "unevaluatedItems": (True, {}),
    "propertyNames": (True, {}),
    "dependentRequired": ({},),
    "dependentSchemas": ({},),
    "dependencies": ({},),
}
_MAPS = frozenset({"properties", "patternProperties", "$defs", "definitions"})
_LISTS = frozenset({"allOf", "anyOf", "oneOf", "prefixItems"})
_SINGLES = frozenset({"items", "additionalItems", "additionalProperties"})


def tidied(schema: dict[str, Any]) -> dict[str, Any]:
    """Return the schema without idle keywords and without the user's `x-guidance`."""
    tidy: dict[str, Any] = _tidied(schema)
    tidy.pop("x-guidance", None)
    return tidy


def rigid(schema: dict[str, Any]) -> str:
    """Return a schema, as JSON text, whose answers can be written in one way only.

    Objects that do not say so take no other properties than those they name.
    """
    return json.dumps({**closed(tidied(schema)), "x-guidance": OPTIONS})


def _tidied(schema: Any) -> Any:
    if not isinstance(schema, dict):
        return schema
    return {
        key: _tidied_value(key, value)
        for key, value in schema.items()
        if not _is_idle(key, value)
    }


def _tidied_value(key: str, value: Any) -> Any:
    if key in _MAPS and isinstance(value, dict):
        return {name: _tidied(schema) for name, schema in value.items()}
    if key in (_LISTS | _SINGLES) and isinstance(value, list):
        return [_tidied(schema) for schema in value]
    return _tidied(value) if key in _SINGLES else value


def _is_idle(key: str, value: Any) -> bool:
    # By type too: 0 == False, and `uniqueItems: 0` is a mistake to be told of.
    return any(
        type(value) is type(idle) and value == idle for idle in _IDLE.get(key, ())
    )
