"""What leads too deep or repeats too often is refused before it is compiled."""

from __future__ import annotations

import json
from typing import Any

import pytest

from inference.core.errors import InvalidRequestError
from inference.core.requests import Grammar, GrammarKind
from inference.structure.chains import (
    SCHEMA_LEVELS_MAX,
    repeats,
    rule_levels,
    schema_levels,
)
from inference.structure.grammars import check
from tests.structure.poisons import (
    LARKS,
    REGEXES,
    SCHEMAS,
    chained,
    chained_objects,
    chained_rules,
)


def refusal(kind: GrammarKind, source: str) -> str:
    with pytest.raises(InvalidRequestError) as refused:
        check(Grammar(kind, source, "response_format"))
    assert refused.value.param == "response_format"
    return refused.value.message


@pytest.mark.parametrize("poison", SCHEMAS)
def test_it_refuses_schemas_that_lead_too_deep(poison: dict[str, Any]) -> None:
    said = refusal(GrammarKind.JSON_SCHEMA, json.dumps(poison))
    assert "deeper than" in said


@pytest.mark.parametrize("poison", LARKS)
def test_it_refuses_rules_that_lead_too_deep_or_double(poison: str) -> None:
    said = refusal(GrammarKind.LARK, poison)
    assert any(words in said for words in ("deeper", "too complex", "too large"))


@pytest.mark.parametrize("poison", REGEXES)
def test_it_refuses_expressions_that_repeat_too_often(poison: str) -> None:
    said = refusal(GrammarKind.REGEX, poison)
    assert "repeats a part" in said or "too complex" in said
    assert "Parser" not in said
    assert "repeats a part" in refusal(GrammarKind.LARK, f"start: /{REGEXES[0]}/")
    pattern = {"type": "string", "pattern": REGEXES[1]}
    assert "'pattern' repeats" in refusal(GrammarKind.JSON_SCHEMA, json.dumps(pattern))


def test_it_takes_chains_of_a_reasonable_length() -> None:
    for schema in (chained(90), chained_objects(90)):
        assert schema_levels(schema) < SCHEMA_LEVELS_MAX
        check(Grammar(GrammarKind.JSON_SCHEMA, json.dumps(schema), "x"))
    check(Grammar(GrammarKind.LARK, chained_rules(400), "x"))


def test_it_counts_levels_along_references_but_not_in_circles() -> None:
    tree = {"type": "object", "properties": {"left": {"$ref": "#"}}}
    assert schema_levels(tree) == 3
    assert schema_levels({"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#"}}}) == 3
    shared = chained(10)
    shared["properties"]["y"] = {"$ref": "#/$defs/d5"}
    assert schema_levels(shared) == schema_levels(chained(10))


def test_it_counts_levels_of_rules() -> None:
    assert rule_levels(chained_rules(7)) == 9
    assert rule_levels('start: e\ne: e "+" e | "x: y z" // e f g\n  | /a b c/') == 2
    assert rule_levels('start: a\n!a: %json {"b": {"c": 1}}\n?b[lazy]: a') == 3


@pytest.mark.parametrize(
    ("regex", "times"),
    [
        ("abc*", 1),
        ("a{3}b{1,7}", 7),
        ("a{3,}", 3),
        ("(a{3}b){4}", 12),
        ("((a{2}){3}){4}|x{5}", 24),
        (r"\(a{2}\){3}", 3),
        ("[({2}]{4}", 4),
        ("[]a]{4}[^]]{5}", 5),
        (r"[\]{9}]{2}", 2),
        ("(?:a{2}(b|c){3})?{5}", 15),
        ("a{b}", 1),
        (")(", 1),
        ("[", 1),
    ],
)
def test_it_counts_repetitions(regex: str, times: int) -> None:
    assert repeats(regex) == times
