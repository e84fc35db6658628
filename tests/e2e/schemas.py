"""Bounded JSON schemas of every kind a client may send, and prompts to go with them."""

from __future__ import annotations

from typing import Any


def text(most: int = 20, **more: Any) -> dict[str, Any]:
    return {"type": "string", "maxLength": most, **more}


def number(low: int = 0, high: int = 99) -> dict[str, Any]:
    return {"type": "integer", "minimum": low, "maximum": high}


def thing(properties: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
        **more,
    }


def array(items: dict[str, Any], low: int = 0, high: int = 4) -> dict[str, Any]:
    return {"type": "array", "items": items, "minItems": low, "maxItems": high}


def maybe(schema: dict[str, Any]) -> dict[str, Any]:
    return {"anyOf": [schema, {"type": "null"}]}


SCHEMAS: dict[str, dict[str, Any]] = {
    "flat": thing({"name": text(), "age": number()}),
    "nested": thing(
        {"person": thing({"name": text(), "home": thing({"city": text()})})}
    ),
    "enum": thing(
        {"mood": {"enum": ["good", "bad", "so-so"]}, "level": {"enum": [1, 2]}}
    ),
    "nullable": thing({"name": maybe(text()), "age": maybe(number())}),
    "reference": thing(
        {"from": {"$ref": "#/$defs/place"}, "to": {"$ref": "#/$defs/place"}},
        **{"$defs": {"place": thing({"city": text(), "zip": number(0, 99999)})}},
    ),
    "pattern": thing({"code": {"type": "string", "pattern": "^[A-Z]{2}-[0-9]{3}$"}}),
    "strings": thing({"tags": array(text(12), 1, 3)}),
    "objects": thing(
        {"items": array(thing({"sku": text(8), "count": number()}), 1, 3)}
    ),
    "awkward": thing({'a "quote"': text(8), "ключ": number(), "back\\slash": text(8)}),
    "boolean": thing({"yes": {"type": "boolean"}, "no": {"type": "boolean"}}),
    "constant": thing({"version": {"const": "v1"}, "name": text()}),
    "negative": thing({"below": number(-50, -1), "around": number(-5, 5)}),
    "top_array": array(number(1, 9), 2, 5),
    "top_enum": {"enum": ["red", "green", "blue"]},
    "union": {
        "anyOf": [
            thing({"kind": {"const": "a"}, "x": number()}),
            thing({"kind": {"const": "b"}, "y": text()}),
        ]
    },
    "optional": {**thing({"must": text(), "may": number()}), "required": ["must"]},
    "matrix": array(array(number(0, 1), 2, 2), 2, 2),
    "date": thing({"day": {"type": "string", "format": "date"}, "title": text()}),
    "tuple": thing(
        {
            "pair": {
                "type": "array",
                "prefixItems": [text(8), number()],
                "items": False,
                "minItems": 2,
            }
        }
    ),
    "deep": thing({"a": thing({"b": thing({"c": thing({"d": maybe(number())})})})}),
}

PROMPTS = [
    "Describe a person.",
    "Write about the weather in Rome.",
    "Give me an order from a shop.",
    "Tell me a joke.",
    "What is 2 + 2?",
    "List three colours.",
    "Plan a trip to the sea.",
    "Say something in Russian.",
    "Invent a robot.",
    "Summarise the news.",
]
