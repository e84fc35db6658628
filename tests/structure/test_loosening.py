"""Schemas as pydantic and zod write them: what can be enforced is, the rest is named."""

from __future__ import annotations

import json
from typing import Any

import pytest
from llguidance import LLMatcher, LLTokenizer

from inference.core.requests import Grammar, GrammarKind
from inference.structure.grammars import check, to_llguidance

DECIMAL = r"^(?!^[-+.]*$)[+-]?0*\d*\.?\d*$"
EMAIL = (
    r"^(?!\.)(?!.*\.\.)([A-Za-z0-9_'+\-\.]*)[A-Za-z0-9_+-]@"
    r"([A-Za-z0-9][A-Za-z0-9\-]*\.)+[A-Za-z]{2,}$"
)
DURATION = r"^P(?:(\d+W)|(?!.*W)(?=\d|T\d)(\d+Y)?(\d+M)?(\d+D)?)$"
BASE64 = r"^$|^(?:[0-9a-zA-Z+/]{4})*(?:(?:[0-9a-zA-Z+/]{2}==)|(?:[0-9a-zA-Z+/]{3}=))?$"
EMOJI = r"^(\p{Extended_Pictographic}|\p{Emoji_Component})+$"
INTEGER = {"type": "integer"}


def text(**more: Any) -> dict[str, Any]:
    return {"type": "string", **more}


def record(names: Any, **more: Any) -> dict[str, Any]:
    values = {"additionalProperties": INTEGER, "propertyNames": names}
    return {"type": "object", **values, **more}


# Each with what is left out of the grammar, an answer that fits it, and one that
# does not.
FIELDS: dict[str, tuple[dict[str, Any], str, Any, Any]] = {
    "zod record": (record({"type": "string"}), "", {"x": 1}, {"x": "y"}),
    "zod record of an enum": (
        record({"type": "string", "enum": ["a", "b"]}, required=["a", "b"]),
        "",
        {"a": 1, "b": 2},
        {"a": 1, "c": 2},
    ),
    "zod record of a pattern": (
        record({"type": "string", "pattern": "^a"}),
        "propertyNames",
        {"b": 1},
        {"b": "x"},
    ),
    "zod email": (text(format="email", pattern=EMAIL), "pattern", "a@b.org", "a"),
    "zod startsWith": (text(pattern="^foo.*"), "", "food", "bar"),
    "zod includes": (text(pattern="foo"), "", "a food", "bar"),
    "zod cuid": (
        text(format="cuid", pattern=r"^[cC][^\s-]{8,}$"),
        "format",
        "c12345678",
        "d12345678",
    ),
    "zod ulid": (
        text(format="ulid", pattern="^[0-9A-HJKMNP-TV-Za-hjkmnp-tv-z]{26}$"),
        "format",
        "0" * 26,
        "0" * 25,
    ),
    "zod base64": (
        text(format="base64", contentEncoding="base64", pattern=BASE64),
        "format",
        "AAAA",
        "A",
    ),
    "zod jwt": (text(format="jwt"), "format", "a.b.c", 1),
    "zod e164": (
        text(format="e164", pattern=r"^\+[1-9]\d{6,14}$"),
        "format",
        "+4912345678",
        "12",
    ),
    "zod emoji": (text(format="emoji", pattern=EMOJI), "format", "😀", "x"),
    "zod iso.duration": (
        text(format="duration", pattern=DURATION),
        "pattern",
        "P1D",
        "x",
    ),
    "pydantic Decimal": (
        {"anyOf": [{"type": "number"}, text(pattern=DECIMAL)]},
        "pattern",
        "1.5",
        True,
    ),
    "pydantic set": (
        {"type": "array", "items": INTEGER, "uniqueItems": True},
        "uniqueItems",
        [1, 1],
        ["x"],
    ),
    "pydantic Path": (text(format="path"), "format", "/tmp", 1),
    "pydantic bytes": (text(format="binary"), "format", "x", 1),
    "pydantic SecretStr": (text(format="password", writeOnly=True), "format", "x", 1),
    "pydantic Pattern": (text(format="regex"), "format", "x", 1),
    "pydantic dict of literals": (
        record({"enum": ["a", "b"]}),
        "",
        {"a": 1},
        {"c": 1},
    ),
    "pydantic dict of one literal": (record({"const": "a"}), "", {"a": 1}, {"b": 1}),
    "an array that contains": (
        {"type": "array", "items": INTEGER, "contains": {"const": 7}},
        "contains",
        [1],
        ["x"],
    ),
    "not this": ({"type": "integer", "not": {"const": 7}}, "not", 7, "x"),
    "names by a look-ahead": (
        {
            "type": "object",
            "patternProperties": {"^a(?!b)": INTEGER},
            "additionalProperties": False,
        },
        "patternProperties",
        {"ac": 1},
        1,
    ),
    "one of two that overlap": (
        {"oneOf": [INTEGER, {"type": "number"}]},
        "oneOf",
        1,
        "x",
    ),
    "at least two": (
        record({"type": "string"}, minProperties=2),
        "minProperties",
        {"a": 1},
        {"a": "x"},
    ),
}


def takes(compiled: str, value: Any) -> bool:
    matcher = LLMatcher(LLTokenizer("byte"), compiled, log_level=0)
    data = list(json.dumps({"v": value}, ensure_ascii=False).encode())
    return matcher.try_consume_tokens(data) == len(data) and matcher.is_accepting()


def within(field: dict[str, Any]) -> Grammar:
    schema = {"type": "object", "properties": {"v": field}, "required": ["v"]}
    return Grammar(GrammarKind.JSON_SCHEMA, json.dumps(schema), "response_format")


@pytest.mark.parametrize(
    ("field", "left_out", "right", "wrong"), FIELDS.values(), ids=FIELDS.keys()
)
def test_it_holds_answers_to_all_that_can_be_enforced(
    field: dict[str, Any], left_out: str, right: Any, wrong: Any
) -> None:
    grammar = within(field)
    loose = check(grammar)
    assert (", ".join(loose.keywords) if loose else "") == left_out
    if loose:
        source = json.dumps(loose.schema)
        grammar = Grammar(GrammarKind.JSON_SCHEMA, source, "response_format")
    compiled = to_llguidance(grammar)
    assert takes(compiled, right)
    assert not takes(compiled, wrong)


def test_what_can_never_be_is_left_away() -> None:
    never = {"type": "object", "properties": {"n": {"not": {}}, "m": INTEGER}}
    compiled = to_llguidance(within(never))
    assert check(within(never)) is None
    assert takes(compiled, {"m": 1})
    assert not takes(compiled, {"n": 1})
