"""Which types a JSON schema admits, and whether a value is of them.

Only what decides how a text is read: types, required properties, and what `$ref`,
unions and enumerations say of them. Bounds and patterns are the client's to judge.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from inference.structure import references

# Deeper than this nothing is judged: a schema may refer to itself.
_DEPTH_MOST = 64
_TYPES_OF = {
    bool: {"boolean"},
    int: {"integer", "number"},
    float: {"number"},
    str: {"string"},
    dict: {"object"},
    list: {"array"},
    type(None): {"null"},
}
_ALL = frozenset({"string", "integer", "number", "boolean", "object", "array", "null"})
STRING = frozenset({"string"})
_UNIONS = ("anyOf", "oneOf")
_CONSTANTS = {"True": "true", "False": "false", "None": "null"}

Types = frozenset[str]


def resolved(schema: Any, root: dict[str, Any]) -> dict[str, Any]:
    """Follow a schema's `$ref` inside `root`; what leads nowhere says nothing."""
    for _ in range(_DEPTH_MOST):
        if not isinstance(schema, dict):
            return {}
        pointer = schema.get("$ref")
        if not isinstance(pointer, str):
            return schema
        others = {key: value for key, value in schema.items() if key != "$ref"}
        is_local = pointer.startswith("#")
        target = references.resolved(root, pointer) if is_local else None
        schema = {**target, **others} if isinstance(target, dict) else others
    return {}


def types_in(schema: Any, root: dict[str, Any], depth: int = 0) -> Types | None:
    """Return the types that a schema admits; `None`: it does not say."""
    schema = resolved(schema, root)
    if depth > _DEPTH_MOST:
        return None
    said = _own_types(schema)
    for key in _UNIONS:
        branches = schema.get(key)
        if isinstance(branches, list) and branches:
            each = [types_in(branch, root, depth + 1) for branch in branches]
            if None not in each:
                union = frozenset().union(*(types for types in each if types))
                said = union if said is None else said & union
    parts = schema.get("allOf")
    for part in parts if isinstance(parts, list) else ():
        types = types_in(part, root, depth + 1)
        if types is not None:
            said = types if said is None else said & types
    return said


def to_value(schema: Any, text: str, root: dict[str, Any]) -> Any:
    """Return the value of the schema's types that a text stands for.

    A member of an enumeration that is written so is that member. Of several types
    the more particular one is taken: a string only where nothing else fits. Without
    declared types, JSON is what it says and anything else a string.

    Raises:
        ValueError: it stands for none of them.
    """
    schema = resolved(schema, root)
    types = types_in(schema, root)
    if types == STRING:
        return text
    trimmed = text.strip()
    value, is_json = _loaded(_CONSTANTS.get(trimmed, trimmed))
    members = schema.get("enum")
    if isinstance(members, list):
        for member in members:
            if member == text or (is_json and is_same(member, value)):
                return member
    if is_json and not (isinstance(value, str) and types and "string" in types):
        if types is None:
            return text if isinstance(value, str) else value
        if isinstance(value, float) and value.is_integer() and "number" not in types:
            value = int(value)
        if types & _types_of(value):
            return value
    if types is None or "string" in types:
        return text
    raise ValueError(f"is no {_named(types)}")


def misfit(schema: Any, value: Any, root: dict[str, Any], depth: int = 0) -> str:
    """Return why a value is not of the schema's types; empty: it is."""
    schema = resolved(schema, root)
    if depth > _DEPTH_MOST:
        return ""
    types = types_in(schema, root)
    if types is not None and not types & _types_of(value):
        return f"is no {_named(types)}"
    for key in _UNIONS:
        branches = schema.get(key)
        if isinstance(branches, list) and branches:
            faults = [misfit(branch, value, root, depth + 1) for branch in branches]
            if all(faults):
                return faults[0]
    parts = schema.get("allOf")
    for part in parts if isinstance(parts, list) else ():
        if fault := misfit(part, value, root, depth + 1):
            return fault
    if isinstance(value, dict):
        return _misfit_inside(schema, value, root, depth)
    if isinstance(value, list):
        items = schema.get("items")
        faults = [misfit(items, item, root, depth + 1) for item in value]
        return next(filter(None, faults), "")
    return ""


def _misfit_inside(
    schema: dict[str, Any], value: dict[str, Any], root: dict[str, Any], depth: int
) -> str:
    required = schema.get("required")
    for name in required if isinstance(required, list) else ():
        if name not in value:
            return f"lacks '{name}'"
    properties = schema.get("properties")
    for name, part in properties.items() if isinstance(properties, dict) else ():
        if name in value and (fault := misfit(part, value[name], root, depth + 1)):
            return f"has a '{name}' that {fault}"
    return ""


def _own_types(schema: dict[str, Any]) -> Types | None:
    said = schema.get("type")
    types: Types | None = None
    if isinstance(said, str):
        types = frozenset({said})
    elif isinstance(said, list):
        types = frozenset(name for name in said if isinstance(name, str))
    members = schema.get("enum", [schema["const"]] if "const" in schema else None)
    if types is None and isinstance(members, list) and members:
        types = frozenset().union(*(_types_of(member) for member in members))
    if types is None and isinstance(schema.get("properties"), dict):
        types = frozenset({"object"})
    if types is None and "items" in schema:
        types = frozenset({"array"})
    if types is not None and schema.get("nullable") is True:
        types |= {"null"}
    return types if types is None or types <= _ALL else None


def _types_of(value: Any) -> Types:
    if isinstance(value, float) and value.is_integer():
        return frozenset({"number", "integer"})
    return frozenset(_TYPES_OF.get(type(value), ()))


def _loaded(text: str) -> tuple[Any, bool]:
    try:
        return json.loads(text, parse_float=finite, parse_constant=_refuse), True
    except (ValueError, RecursionError):
        return None, False


def finite(text: str) -> float:
    """Return a number; one that no float can hold becomes the largest."""
    most = sys.float_info.max
    return max(-most, min(most, float(text)))


def _refuse(name: str) -> Any:
    raise ValueError(name)


def is_same(member: Any, value: Any) -> bool:
    return type(member) is type(value) and member == value


def _named(types: Types) -> str:
    return " or ".join(sorted(types)) or "value that its schema admits"
