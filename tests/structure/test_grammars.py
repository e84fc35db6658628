"""Schemas, expressions and calls as grammars: enforced whole, or refused by name."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from inference.core.errors import InvalidRequestError
from inference.core.requests import Grammar, GrammarKind, Tool, ToolMode, ToolUse
from inference.engine.loading.text_model import load_text_model
from inference.structure.calls import calls_grammar, check_tools
from inference.structure.grammars import check, to_llguidance

if TYPE_CHECKING:
    from pathlib import Path

    from inference.engine.text.vocabulary import Vocabulary


@pytest.fixture(scope="module")
def words(tiny_model_dir: Path) -> Vocabulary:
    return load_text_model(tiny_model_dir).words


def schema(value: Any) -> Grammar:
    return Grammar(GrammarKind.JSON_SCHEMA, json.dumps(value), "response_format")


def fits(words: Vocabulary, compiled: str, text: str) -> bool:
    """Whether the whole of `text` is an answer of the grammar."""
    matcher = words.matcher_for(compiled, param="x").deep_copy()
    view = words.load()
    assert view is not None
    tokens = view.tokenize_str(text)
    return matcher.consume_tokens(tokens) and matcher.is_accepting()


PERSON = {
    "$defs": {"name": {"type": "string", "minLength": 1, "maxLength": 8}},
    "title": "Person",
    "description": "as pydantic writes it",
    "type": "object",
    "properties": {
        "name": {"$ref": "#/$defs/name", "title": "Name", "examples": ["x"]},
        "age": {"anyOf": [{"type": "integer", "minimum": 0}, {"type": "null"}]},
        "mood": {"enum": ["good", "bad"], "default": "good"},
    },
    "required": ["name", "age", "mood"],
    "additionalProperties": False,
}


def test_it_takes_what_fits_a_schema_and_nothing_else(words: Vocabulary) -> None:
    check(schema(PERSON))
    compiled = to_llguidance(schema(PERSON))
    assert fits(words, compiled, '{"name": "Ada", "age": null, "mood": "good"}')
    assert fits(words, compiled, '{"name": "Ada", "age": 36, "mood": "bad"}')
    for wrong in (
        '{"name": "Ada", "age": -1, "mood": "bad"}',
        '{"name": "Ada", "age": 36, "mood": "fine"}',
        '{"name": "Ada", "age": 36}',
        '{"name": "", "age": 36, "mood": "bad"}',
        '{"name":"Ada","age":36,"mood":"bad"}',
    ):
        assert not fits(words, compiled, wrong)


def test_a_client_cannot_loosen_how_answers_are_written(words: Vocabulary) -> None:
    loose = {"type": "object", "x-guidance": {"whitespace_flexible": True}}
    assert not fits(words, to_llguidance(schema(loose)), "{   }")


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"not": {}}, "'not'"),
        ({"type": "whatever"}, "whatever"),
        ({"$ref": "https://example.com/schema.json"}, "'$ref'"),
        ({"type": "integer", "minimum": 5, "maximum": 3}, ""),
    ],
)
def test_it_names_the_keyword_that_cannot_be_enforced(
    wrong: dict[str, Any], named: str
) -> None:
    with pytest.raises(InvalidRequestError) as refusal:
        check(schema(wrong))
    assert refusal.value.param == "response_format"
    assert refusal.value.code == "invalid_schema"
    assert named in refusal.value.message


@pytest.mark.parametrize(
    ("kind", "source", "code"),
    [
        (GrammarKind.REGEX, "(", "invalid_regex"),
        (GrammarKind.REGEX, "(?<=a)b", "invalid_regex"),
        (GrammarKind.LARK, "start: nobody", "invalid_grammar"),
        (GrammarKind.LARK, "no grammar", "invalid_grammar"),
    ],
)
def test_it_refuses_what_is_no_expression_and_no_grammar(
    kind: GrammarKind, source: str, code: str
) -> None:
    with pytest.raises(InvalidRequestError) as refusal:
        check(Grammar(kind, source, "guided"))
    assert (refusal.value.param, refusal.value.code) == ("guided", code)


def test_it_takes_expressions_and_lark(words: Vocabulary) -> None:
    expression = Grammar(GrammarKind.REGEX, "[0-9]{3}-[a-z]+", "guided_regex")
    check(expression)
    assert fits(words, to_llguidance(expression), "123-abc")
    choice = Grammar(GrammarKind.LARK, 'start: "yes" | "no"', "guided_choice")
    check(choice)
    assert fits(words, to_llguidance(choice), "no")
    assert not fits(words, to_llguidance(choice), "maybe")


WEATHER = Tool(
    "weather", "", {"properties": {"c": {"enum": ["a", "b"]}}, "required": ["c"]}
)
NOTHING = Tool("now")
ODD = Tool("odd", "", {"properties": {"x": {"type": "array", "uniqueItems": True}}})


def test_calls_name_a_tool_and_fit_its_schema(words: Vocabulary) -> None:
    one = calls_grammar([WEATHER, NOTHING], before="\n", after="\n")
    call = '\n{"name": "weather", "arguments": {"c": "a"}}\n'
    assert fits(words, one, call)
    assert fits(words, one, '\n{"name": "now", "arguments": {}}\n')
    assert not fits(words, one, call.replace('"a"', '"z"'))
    assert not fits(words, one, call.replace("weather", "other"))
    several = calls_grammar([NOTHING], most=3)
    body = '{"name": "now", "arguments": {}}'
    for count, good in ((1, True), (3, True), (4, False)):
        assert fits(words, several, "\n".join([body] * count)) is good


HOPELESS = Tool("hopeless", "", {"type": "array"})


@pytest.mark.parametrize("mode", [ToolMode.AUTO, ToolMode.REQUIRED])
@pytest.mark.parametrize("odd", [ODD, HOPELESS])
def test_one_odd_tool_is_held_as_far_as_it_can_be(odd: Tool, mode: ToolMode) -> None:
    use, warnings = check_tools(ToolUse((WEATHER, odd), mode=mode))
    assert use.tools[0] == WEATHER
    assert use.tools[1].enforced
    assert [warning.partition(":")[0] for warning in warnings] == ["tools[1]"]


def test_a_forced_call_needs_one_schema_that_can_be_enforced() -> None:
    use = ToolUse((WEATHER, HOPELESS), mode=ToolMode.FUNCTION, function="hopeless")
    with pytest.raises(InvalidRequestError) as refusal:
        check_tools(use)
    assert refusal.value.param == "tools[1].function.parameters"
    named = ToolUse((WEATHER, HOPELESS), mode=ToolMode.FUNCTION, function="weather")
    assert check_tools(named) == (named, ())


def test_a_free_call_holds_as_far_as_it_can_and_the_row_says_so(
    words: Vocabulary,
) -> None:
    use, warnings = check_tools(ToolUse((WEATHER, ODD)))
    assert len(warnings) == 1
    assert "uniqueItems" in warnings[0]
    assert use.tools[1].parameters == ODD.parameters
    call = '{"name": "odd", "arguments": {"x": [1, 1]}}'
    assert fits(words, calls_grammar(use.tools), call)
    assert not fits(words, calls_grammar(use.tools), call.replace("[1, 1]", "1"))
