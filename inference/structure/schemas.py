"""JSON schemas as llguidance takes them: one rigid way of writing each answer."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from inference.structure.closing import closed

if TYPE_CHECKING:
    from collections.abc import Callable

    Turn = Callable[[dict[str, Any]], dict[str, Any]]

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
    "propertyNames": (True, {}, {"type": "string"}),
    "dependentRequired": ({},),
    "dependentSchemas": ({},),
    "dependencies": ({},),
}
# What a rule for names may say besides which they are.
_NAMES_ALONE = frozenset({"type", "title", "description"})
_PROPERTIES = frozenset({"properties", "patternProperties"})
_MAPS = frozenset({"properties", "patternProperties", "$defs", "definitions"})
_LISTS = frozenset({"allOf", "anyOf", "oneOf", "prefixItems"})
_SINGLES = frozenset({"items", "additionalItems", "additionalProperties"})


def tidied(schema: dict[str, Any]) -> dict[str, Any]:
    """Return the same in keywords that can be enforced, where there are such.

    It is without idle keywords and without the user's `x-guidance`.
    """
    tidy = rewritten(schema, _tidy)
    tidy.pop("x-guidance", None)
    return tidy


def rewritten(schema: dict[str, Any], turn: Turn) -> dict[str, Any]:
    """Return the schema with `turn` made of each object in it that is a schema.

    Below the top, what nothing fits is written as `false`.
    """
    return {
        key: _rewritten_value(key, value, turn) for key, value in turn(schema).items()
    }


def is_never(node: Any) -> bool:
    """Whether a schema says in so many words that nothing fits it."""
    return isinstance(node, dict) and node.get("not") in ({}, True)


def rigid(schema: dict[str, Any]) -> str:
    """Return a schema, as JSON text, whose answers can be written in one way only.

    Objects that do not say so take no other properties than those they name.
    """
    return json.dumps({**closed(tidied(schema)), "x-guidance": OPTIONS})


def _rewritten(schema: Any, turn: Turn) -> Any:
    if not isinstance(schema, dict):
        return schema
    return False if is_never(schema) else rewritten(schema, turn)


def _rewritten_value(key: str, value: Any, turn: Turn) -> Any:
    if key in _MAPS and isinstance(value, dict):
        return {name: _rewritten(schema, turn) for name, schema in value.items()}
    if key in (_LISTS | _SINGLES) and isinstance(value, list):
        return [_rewritten(schema, turn) for schema in value]
    return _rewritten(value, turn) if key in _SINGLES else value


def _tidy(node: dict[str, Any]) -> dict[str, Any]:
    kept = {key: value for key, value in node.items() if not _is_idle(key, value)}
    return _with_names(kept)


def _with_names(node: dict[str, Any]) -> dict[str, Any]:
    """Say which names properties may have by naming them, where that says the same."""
    rule = node.get("propertyNames")
    if not isinstance(rule, dict) or _PROPERTIES & node.keys():
        return node
    says = {key: value for key, value in rule.items() if key not in _NAMES_ALONE}
    names = [says["const"]] if says.keys() == {"const"} else says.get("enum")
    if len(says) != 1 or not isinstance(names, list):
        return node
    if not all(isinstance(name, str) for name in names):
        return node
    rest = {key: value for key, value in node.items() if key != "propertyNames"}
    value = rest.get("additionalProperties", True)
    return {
        **rest,
        "type": rest.get("type", "object"),
        "properties": dict.fromkeys(names, value),
        "additionalProperties": False,
    }


def _is_idle(key: str, value: Any) -> bool:
    # By type too: 0 == False, and `uniqueItems: 0` is a mistake to be told of.
    return any(
        type(value) is type(idle) and value == idle for idle in _IDLE.get(key, ())
    )
