"""Schemas that do not say whether other properties may come."""

from __future__ import annotations

import json
from typing import Any

import pytest
from llguidance import LLMatcher

from inference.core.requests import Grammar, GrammarKind
from inference.structure.grammars import check, to_llguidance
from tests.structure.test_promises import takes

INTEGER = {"type": "integer"}
A = {"type": "object", "properties": {"a": INTEGER}}
B = {"type": "object", "properties": {"b": INTEGER}}


def may_write(schema: dict[str, Any], answer: Any) -> bool:
    grammar = Grammar(GrammarKind.JSON_SCHEMA, json.dumps(schema), "p")
    check(grammar)
    compiled = to_llguidance(grammar)
    assert not LLMatcher.validate_grammar(compiled)
    return takes(compiled, json.dumps(answer))


@pytest.mark.parametrize(
    ("schema", "answer"),
    [
        (A, {"a": 1, "x": 2}),
        ({"type": "array", "items": A}, [{"a": 1, "x": 2}]),
        ({"type": "object", "properties": {"o": A}}, {"o": {"a": 1, "x": 2}}),
        ({"$defs": {"A": A}, "$ref": "#/$defs/A"}, {"x": 2}),
        ({"anyOf": [A, B]}, {"a": 1, "b": 2}),
        (A | {"anyOf": [{"required": ["a"]}, {"type": "object"}]}, {"a": 1, "x": 2}),
        ({"allOf": [A, {"required": ["a"]}]}, {"a": 1, "x": 2}),
        (A | {"required": ["a", "b"]}, {"a": 1, "b": 1, "x": 2}),
    ],
)
def test_no_property_is_invented(schema: dict[str, Any], answer: Any) -> None:
    assert not may_write(schema, answer)


@pytest.mark.parametrize(
    ("schema", "answer"),
    [
        (A | {"additionalProperties": True}, {"a": 1, "x": 2}),
        (A | {"additionalProperties": INTEGER}, {"a": 1, "x": 2}),
        ({"type": "object"}, {"x": 2}),
        ({"type": "object", "properties": {}}, {"x": 2}),
        ({"allOf": [A, B]}, {"a": 1, "b": 2}),
        (
            {"$defs": {"A": A}, "allOf": [{"$ref": "#/$defs/A"}, B]},
            {"a": 1, "b": 2},
        ),
        ({"$defs": {"A": A}, "$ref": "#/$defs/A"} | B, {"a": 1, "b": 2}),
        (A | {"anyOf": [B, {"required": ["a"]}]}, {"a": 1, "b": 2}),
        (A | {"required": ["a", "b"]}, {"a": 1, "b": "anything"}),
        (A | {"minProperties": 2, "required": ["a"]}, {"a": 1, "x": 2}),
    ],
)
def test_what_a_schema_admits_can_still_be_written(
    schema: dict[str, Any], answer: Any
) -> None:
    assert may_write(schema, answer)


def test_branches_that_refer_to_themselves_are_looked_at_once() -> None:
    value: dict[str, Any] = {"anyOf": [INTEGER, *[{"$ref": "#/$defs/v"}] * 8]}
    value["anyOf"].append({"type": "array", "items": {"$ref": "#/$defs/v"}})
    assert may_write({"$defs": {"v": value}, "$ref": "#/$defs/v"}, [1, [2]])
