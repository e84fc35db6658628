"""What an answer may be made to look like."""

from __future__ import annotations

from typing import Any

import pytest

from inference.core.limits import Limits
from inference.core.requests import Grammar, GrammarKind
from tests.protocol.cast import fault_of, read, refusal_of

SCHEMA = {"type": "object", "properties": {"z": {}, "a": {}}}
SOURCE = '{"type":"object","properties":{"z":{},"a":{}}}'
TOOLS = [{"type": "function", "function": {"name": "f"}}]


def schema_format(**changes: Any) -> dict[str, Any]:
    within = {"name": "thing", "schema": SCHEMA, **changes}
    return {"type": "json_schema", "json_schema": within}


@pytest.mark.shows("response_format")
def test_it_reads_every_response_format() -> None:
    assert read(response_format={"type": "text"}).grammar is None
    assert read(response_format={"type": "json_object"}).grammar == Grammar(
        GrammarKind.JSON_SCHEMA, '{"type":"object"}', "response_format"
    )
    form = schema_format(strict=True, description="A thing.")
    assert read(response_format=form).grammar == Grammar(
        GrammarKind.JSON_SCHEMA, SOURCE, "response_format.json_schema.schema"
    )


@pytest.mark.parametrize(
    ("kind", "value", "grammar"),
    [
        ("json", SCHEMA, (GrammarKind.JSON_SCHEMA, SOURCE)),
        ("json", SOURCE, (GrammarKind.JSON_SCHEMA, SOURCE)),
        ("regex", r"\d+", (GrammarKind.REGEX, r"\d+")),
        (
            "choice",
            ["a", 'b"\n', "\x7f"],
            (GrammarKind.LARK, r'start: "a" | "b\"\n" | "\u007f"'),
        ),
        ("grammar", 'start: "x"', (GrammarKind.LARK, 'start: "x"')),
    ],
)
def test_it_reads_vllms_names_for_grammars(
    kind: str, value: Any, grammar: tuple[GrammarKind, str]
) -> None:
    older = read(**{f"guided_{kind}": value}).grammar
    newer = read(structured_outputs={"regex": None, kind: value})
    assert older == Grammar(*grammar, f"guided_{kind}")
    assert newer.grammar == Grammar(*grammar, f"structured_outputs.{kind}")


def test_it_reads_any_object_as_a_structure() -> None:
    grammar = read(structured_outputs={"json_object": True}).grammar
    assert grammar is not None
    assert grammar.source == '{"type":"object"}'


RF = "response_format"


@pytest.mark.parametrize(
    ("name", "value", "code", "param"),
    [
        (RF, "json_object", "invalid_type", RF),
        (RF, {}, "missing_required_parameter", f"{RF}.type"),
        (RF, {"type": "xml"}, "invalid_value", f"{RF}.type"),
        (
            RF,
            {"type": "json_schema"},
            "missing_required_parameter",
            f"{RF}.json_schema",
        ),
        (
            RF,
            schema_format(schema=None),
            "missing_required_parameter",
            f"{RF}.json_schema.schema",
        ),
        (RF, schema_format(schema=[]), "invalid_type", f"{RF}.json_schema.schema"),
        (RF, schema_format(name="a b"), "invalid_value", f"{RF}.json_schema.name"),
        (RF, schema_format(name="n" * 65), "invalid_value", f"{RF}.json_schema.name"),
        (RF, schema_format(strict=1), "invalid_type", f"{RF}.json_schema.strict"),
        ("structured_outputs", {}, "invalid_value", "structured_outputs"),
        (
            "structured_outputs",
            {"regex": "a", "choice": ["a"]},
            "invalid_value",
            "structured_outputs",
        ),
        (
            "structured_outputs",
            {"regex": 1},
            "invalid_type",
            "structured_outputs.regex",
        ),
        ("guided_json", "[1]", "invalid_value", "guided_json"),
        ("guided_json", "{" * 99, "invalid_value", "guided_json"),
        ("guided_json", 1, "invalid_type", "guided_json"),
        ("guided_regex", "", "empty_string", "guided_regex"),
        ("guided_regex", "a" * 8193, "string_above_max_length", "guided_regex"),
        ("guided_choice", "a", "invalid_type", "guided_choice"),
        ("guided_choice", [], "empty_array", "guided_choice"),
        ("guided_choice", ["a", 1], "invalid_type", "guided_choice[1]"),
        ("guided_choice", ["a"] * 1025, "array_above_max_length", "guided_choice"),
        ("guided_grammar", {}, "invalid_type", "guided_grammar"),
    ],
)
def test_it_names_what_is_wrong_with_a_grammar(
    name: str, value: Any, code: str, param: str
) -> None:
    assert fault_of(**{name: value}) == (code, param)


def test_it_bounds_a_schema() -> None:
    form = {RF: schema_format(schema={"x": "y" * 99})}
    error = refusal_of(**form, limits=Limits(grammar_chars=99))
    assert error.param == "response_format.json_schema.schema"
    assert error.code == "object_above_max_length"


def test_it_names_the_second_of_two_grammars() -> None:
    both = {"guided_regex": "a", "response_format": {"type": "json_object"}}
    assert fault_of(**both) == ("invalid_value", "response_format")
    assert read(guided_regex="a", response_format={"type": "text"}).grammar


@pytest.mark.parametrize("choice", [None, "auto", "required", "none"])
def test_a_grammar_may_stand_beside_tools(choice: str | None) -> None:
    form = {"response_format": {"type": "json_object"}, "tools": TOOLS}
    asked = read(**form, tool_choice=choice)
    assert asked.grammar
    assert asked.tools
