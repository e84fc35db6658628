"""Objects of a schema that do not say whether other properties may come: none may.

Small models ramble in keys that nobody asked for, and the makers of schemas (pydantic,
LangChain) never say it. `additionalProperties: true`, said aloud, keeps an object
open; so does naming no properties at all.
"""

from __future__ import annotations

from typing import Any

from inference.structure.references import resolved

_BRANCHES = ("allOf", "anyOf", "oneOf")
_MAPS = frozenset({"properties", "patternProperties", "$defs", "definitions"})
_LISTS = frozenset({*_BRANCHES, "prefixItems", "items"})
_SINGLES = frozenset({"items", "additionalItems", "additionalProperties"})
_DEPTH_MOST = 32
_PARTS_MOST = 200
_SAYS = ("additionalProperties", "unevaluatedProperties")


def closed(schema: dict[str, Any]) -> dict[str, Any]:
    """Return the schema with its objects closed.

    Where several parts of one object name properties, each in a branch or behind a
    reference, it stays open: closing one part would forbid what the others name.
    """
    shared: set[str] = set()
    _gather_shared(schema, schema, shared)
    result: dict[str, Any] = _Closer(schema, shared).closed(schema, "#")
    return result


def _gather_shared(node: Any, root: Any, shared: set[str]) -> None:
    """Gather the references to what is only a part of some object."""
    if isinstance(node, list):
        for each in node:
            _gather_shared(each, root, shared)
    elif isinstance(node, dict):
        if _is_composed(node, root):
            _gather_parts(node, root, shared, 0)
        for value in node.values():
            _gather_shared(value, root, shared)


def _gather_parts(node: Any, root: Any, shared: set[str], depth: int) -> None:
    if not isinstance(node, dict) or depth > _DEPTH_MOST:
        return
    pointer = node.get("$ref")
    if isinstance(pointer, str) and pointer not in shared:
        shared.add(pointer)
        _gather_parts(resolved(root, pointer), root, shared, depth + 1)
    for part in _parts_of(node):
        _gather_parts(part, root, shared, depth + 1)


def _is_composed(node: dict[str, Any], root: Any) -> bool:
    """Whether properties of one object are named in several places."""

    def any_names(parts: list[Any]) -> bool:
        return any(_names(part, root, set()) for part in parts)

    ways = [bool(node.get("properties")), any_names([_target_of(node, root)])]
    ways += [any_names([part]) for part in _list(node, "allOf")]
    ways += [any_names(_list(node, key)) for key in ("anyOf", "oneOf")]
    return sum(ways) > 1


def _names(node: Any, root: Any, seen: set[int]) -> bool:
    """Whether a schema names properties of the object that it describes."""
    if not isinstance(node, dict) or id(node) in seen or len(seen) > _PARTS_MOST:
        return False
    seen.add(id(node))
    if node.get("properties"):
        return True
    parts = (*_parts_of(node), _target_of(node, root))
    return any(_names(part, root, seen) for part in parts)


def _target_of(node: dict[str, Any], root: Any) -> Any:
    pointer = node.get("$ref")
    if isinstance(pointer, str) and pointer.startswith("#"):
        return resolved(root, pointer)
    return None


class _Closer:
    """Closes what is not `shared`, a reference to a part of some object."""

    def __init__(self, root: dict[str, Any], shared: set[str]) -> None:
        self._root = root
        self._shared = shared

    def closed(self, node: Any, path: str, *, is_open: bool = False) -> Any:
        if not isinstance(node, dict):
            return node
        is_open = is_open or path in self._shared or _is_composed(node, self._root)
        result = {
            key: self._value(key, value, f"{path}/{key}", is_open=is_open)
            for key, value in node.items()
        }
        properties = node.get("properties")
        if is_open or not isinstance(properties, dict) or not properties:
            return result
        if any(key in node for key in _SAYS) or _wants_more(node, properties):
            return result
        result["additionalProperties"] = False
        required = [name for name in _list(node, "required") if isinstance(name, str)]
        unnamed: dict[str, Any] = {
            name: {} for name in required if name not in properties
        }
        return {**result, "properties": {**result["properties"], **unnamed}}

    def _value(self, key: str, value: Any, path: str, *, is_open: bool) -> Any:
        if key in _MAPS and isinstance(value, dict):
            return {
                name: self.closed(part, f"{path}/{_escaped(name)}")
                for name, part in value.items()
            }
        # The branches of an object are the object, its members objects of their own.
        inherits = is_open and key in _BRANCHES
        if key in _LISTS and isinstance(value, list):
            return [
                self.closed(part, f"{path}/{i}", is_open=inherits)
                for i, part in enumerate(value)
            ]
        return self.closed(value, path) if key in _SINGLES else value


def _escaped(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")


def _wants_more(node: dict[str, Any], properties: dict[str, Any]) -> bool:
    """Whether it cannot be satisfied by the properties that it names."""
    least = node.get("minProperties")
    return isinstance(least, int) and least > len(properties)


def _parts_of(node: dict[str, Any]) -> list[Any]:
    return [part for key in _BRANCHES for part in _list(node, key)]


def _list(node: dict[str, Any], key: str) -> list[Any]:
    value = node.get(key)
    return value if isinstance(value, list) else []
