"""Whether a recursive schema lets an answer end."""

from __future__ import annotations

from typing import Any

from inference.structure.references import resolved

_REFERENCES_MAX = 500


def can_end(schema: dict[str, Any]) -> bool:
    """Whether some finite answer fits; in doubt, yes.

    A least fixed point: a reference ends once what it points to ends with the
    references that are already known to end.
    """
    targets = _targets(schema)
    if len(targets) > _REFERENCES_MAX:
        return True
    ended: set[str] = set()
    while True:
        more = {
            name
            for name, target in targets.items()
            if name not in ended and _ends(target, targets.keys() - ended)
        }
        if not more:
            return _ends(schema, targets.keys() - ended)
        ended |= more


def _targets(schema: dict[str, Any]) -> dict[str, Any]:
    """Return what each local reference in the schema points to."""
    found: dict[str, Any] = {}
    stack: list[Any] = [schema]
    while stack:
        node = stack.pop()
        if isinstance(node, dict):
            name = node.get("$ref")
            if isinstance(name, str) and name.startswith("#") and name not in found:
                found[name] = resolved(schema, name)
            stack.extend(node.values())
        elif isinstance(node, list):
            stack.extend(node)
    return found


def _ends(schema: Any, endless: set[str]) -> bool:
    """Whether an answer to `schema` can end without the `endless` references."""
    if not isinstance(schema, dict):
        return schema is not False
    if schema.get("$ref") in endless:
        return False
    if not all(_ends(part, endless) for part in _list(schema, "allOf")):
        return False
    for keyword in ("anyOf", "oneOf"):
        parts = _list(schema, keyword)
        if parts and not any(_ends(part, endless) for part in parts):
            return False
    return all(_ends(part, endless) for part in _certain_parts(schema))


def _certain_parts(schema: dict[str, Any]) -> list[Any]:
    """Return the schemas of what every answer holds, where the type is certain."""
    if schema.get("type") == "object":
        named = schema.get("properties")
        named = named if isinstance(named, dict) else {}
        rest = schema.get("additionalProperties", True)
        names = [name for name in _list(schema, "required") if isinstance(name, str)]
        return [named.get(name, rest) for name in names]
    least = schema.get("minItems")
    if schema.get("type") == "array" and isinstance(least, int) and least > 0:
        first = _list(schema, "prefixItems") or _list(schema, "items")
        rest = schema.get("items", True)
        rest = [] if isinstance(rest, list) else [rest]
        return [*first[:least], *(rest if least > len(first) else [])]
    return []


def _list(schema: dict[str, Any], keyword: str) -> list[Any]:
    value = schema.get(keyword)
    return value if isinstance(value, list) else []
