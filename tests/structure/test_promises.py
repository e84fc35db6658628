"""A finished answer validates: what would break that is refused, and work is bounded."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from llguidance import LLMatcher, LLTokenizer

from inference.core.errors import InvalidRequestError
from inference.core.requests import Grammar, GrammarKind, Tool, ToolMode, ToolUse
from inference.structure.calls import calls_grammar, check_tools
from inference.structure.grammars import check, to_llguidance

INTEGER = {"type": "integer"}
NODE = {"type": "object", "properties": {"next": {"$ref": "#"}}, "required": ["next"]}


def schema(value: Any) -> Grammar:
    return Grammar(GrammarKind.JSON_SCHEMA, json.dumps(value), "response_format")


def takes(compiled: str, text: str) -> bool:
    matcher = LLMatcher(LLTokenizer("byte"), compiled, log_level=0)
    data = list(text.encode())
    return matcher.try_consume_tokens(data) == len(data) and matcher.is_accepting()


def refusal_of(grammar: Grammar) -> str:
    with pytest.raises(InvalidRequestError) as refusal:
        check(grammar)
    return refusal.value.message


def test_a_property_cannot_come_twice_under_two_spellings() -> None:
    opened = {"type": "object", "properties": {"a": INTEGER}}
    compiled = to_llguidance(schema(opened | {"additionalProperties": True}))
    assert takes(compiled, '{"a": 1, "b": "x\\n"}')
    assert not takes(compiled, '{"a": 1, "\\u0061": "x"}')


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        (NODE, "$ref"),
        ({"$ref": "#"}, "nothing can match"),
        ({"type": "array", "items": {"$ref": "#"}, "minItems": 1}, "$ref"),
        ({"const": "a\x7f"}, "const"),
        ({"enum": ["fine", {"key": "\x01"}]}, "enum"),
        ({"$schema": "http://json-schema.org/draft-03/schema#"}, "$schema"),
        ({"type": "string", "pattern": "^a$", "format": "date"}, "no answer"),
        ({"x-guidance": {"lenient": True}, "not": {}}, "not"),
        ([], "object"),
    ],
)
def test_it_refuses_what_llguidance_lets_through(wrong: Any, named: str) -> None:
    assert named in refusal_of(schema(wrong))


@pytest.mark.parametrize(
    "right",
    [
        {"type": "array", "items": INTEGER, "uniqueItems": False},
        {"type": "object", "properties": {"uniqueItems": {"type": "boolean"}}},
        {"type": "array", "items": {"$ref": "#"}},
        {**NODE, "properties": {"next": {"anyOf": [{"$ref": "#"}, {"type": "null"}]}}},
        {"type": "number", "multipleOf": 0.01},
    ],
)
def test_it_takes_what_forbids_nothing_or_can_end(right: Any) -> None:
    check(schema(right))


@pytest.mark.parametrize(
    "heavy",
    [
        {"type": "integer", "multipleOf": 1_000_003},
        {"allOf": [{"type": "integer", "multipleOf": 1009}, {"multipleOf": 1013}]},
        {"type": "object", "properties": {f"p{i}": {} for i in range(20_000)}},
    ],
)
def test_a_schema_cannot_keep_the_server_busy(heavy: Any) -> None:
    began = time.thread_time()
    refusal_of(schema(heavy))
    assert time.thread_time() - began < 1


def test_a_schema_inside_lark_is_bounded_too() -> None:
    heavy = 'start: %json {"type": "integer", "multiple\\u004ff": 1000003}'
    assert "multipleOf" in refusal_of(Grammar(GrammarKind.LARK, heavy, "grammar"))


def test_an_expression_that_matches_nothing_is_refused() -> None:
    nothing = Grammar(GrammarKind.REGEX, "[a&&b]", "guided_regex")
    assert "nothing can match" in refusal_of(nothing)


def test_special_tokens_in_lark_are_left_to_the_model() -> None:
    check(Grammar(GrammarKind.LARK, "start: <|im_end|>", "grammar"))


def test_half_a_character_is_refused_and_never_raised() -> None:
    for kind in (GrammarKind.REGEX, GrammarKind.LARK):
        refusal_of(Grammar(kind, "\ud800", "guided"))


def test_parameters_that_are_no_object_are_refused() -> None:
    use = ToolUse((Tool("f", "", {"type": "string"}),), mode=ToolMode.REQUIRED)
    with pytest.raises(InvalidRequestError, match="object"):
        check_tools(use)


def test_a_tool_may_take_a_map_of_names_it_does_not_list() -> None:
    scores = {"type": "object", "additionalProperties": INTEGER}
    compiled = LLMatcher.grammar_from_lark(calls_grammar([Tool("f", "", scores)]))
    assert takes(compiled, '{"name": "f", "arguments": {"ada": 1}}')
    assert not takes(compiled, '{"name": "f", "arguments": {"ada": "x"}}')


def test_arguments_are_an_object_even_where_null_is_admitted() -> None:
    either = {"type": ["object", "null"], "properties": {"a": INTEGER}}
    compiled = LLMatcher.grammar_from_lark(calls_grammar([Tool("f", "", either)]))
    assert takes(compiled, '{"name": "f", "arguments": {"a": 1}}')
    assert not takes(compiled, '{"name": "f", "arguments": null}')
