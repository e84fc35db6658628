"""Calls that a model without sense is forced to make, in every dialect."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import jsonschema
import numpy as np
import pytest

from inference.core.requests import Tool, ToolMode, ToolUse
from inference.dialects.registry import DIALECTS
from inference.structure.calls import arguments_of
from tests.dialects.dressing import dress, hear, marks_of, prepared, ramble

if TYPE_CHECKING:
    from pathlib import Path

    from inference.dialects.dialect import Dialect
    from tests.dialects.dressing import Dressed, Heard

SHORT = {"type": "string", "maxLength": 12}
WORD = {"type": "string", "minLength": 1, "maxLength": 8}
DAYS = {"type": "integer", "minimum": 1, "maximum": 14}
POINT = {
    "type": "object",
    "properties": {"x": {"type": "integer", "minimum": -9, "maximum": 9}, "name": WORD},
    "required": ["x"],
}


def tool(name: str, required: list[str], **properties: Any) -> Tool:
    parameters: dict[str, Any] = {
        "type": "object",
        "properties": properties,
        "required": required,
    }
    if "$defs" in properties:
        parameters["$defs"] = properties.pop("$defs")
    return Tool(name, parameters=parameters)


TOOLS = (
    tool("now", []),
    tool("get_weather", ["city"], city=WORD, days=DAYS),
    tool(
        "search",
        ["query", "kind"],
        query=SHORT,
        kind={"type": "string", "enum": ["web page", "image", "true", "7"]},
        safe={"type": "boolean"},
        limit={"anyOf": [DAYS, {"type": "null"}], "default": None},
    ),
    tool(
        "tag",
        ["tags", "note"],
        tags={"type": "array", "items": WORD, "minItems": 1, "maxItems": 3},
        note={"anyOf": [SHORT, {"type": "null"}]},
    ),
    tool(
        "draw",
        ["points"],
        points={"type": "array", "items": {"$ref": "#/$defs/p"}, "maxItems": 2},
        style={"type": "object", "properties": {"bold": {"type": "boolean"}}},
        **{"$defs": {"p": POINT}},
    ),
    tool(
        "book-it.v2",
        ["on", "seat"],
        on={"type": "string", "format": "date"},
        seat={"type": "string", "pattern": "^[A-F][1-9]$"},
        price={"type": "number", "minimum": 0, "maximum": 99},
    ),
    tool("set", ["value"], value={"type": ["string", "integer"], "maxLength": 6}),
    tool("pick", ["one"], one={"enum": [1, "one", None, False]}, level={"const": 3}),
    Tool(
        "either",
        parameters={
            "type": "object",
            "properties": {"a": WORD, "b": {"type": "boolean"}},
            "anyOf": [{"required": ["a"]}, {"required": ["b"]}],
        },
    ),
    tool("odd", ['it\'s "one"'], **{'it\'s "one"': WORD}),
)
# A grammar holds forced calls of all of these; the others say why not.
NAMES = [
    (name, at)
    for name, dialect in DIALECTS.items()
    for at in range(1 + len(dialect.variants))
]


def dialect_as(name: str, at: int) -> Dialect:
    dialect = DIALECTS[name]
    forms = (dialect.form, *(form for _, form in dialect.variants))
    return replace(dialect, form=forms[at])


def dressed_as(base: Path, dialect: Dialect, *, special: bool) -> Dressed:
    assert dialect.form is not None
    return dress(base, marks_of(dialect, dialect.form), special=special)


def check_calls(heard: Heard) -> None:
    for call in heard.calls:
        (called,) = (tool for tool in TOOLS if tool.name == call.name)
        arguments = json.loads(call.arguments)
        jsonschema.validate(arguments, arguments_of(called))
        known = called.parameters["properties"]
        assert arguments.keys() <= known.keys()


@pytest.mark.parametrize("special", [True, False], ids=["special", "added"])
@pytest.mark.parametrize(("name", "at"), NAMES)
def test_fifty_forced_calls_fit_their_schemas(
    tiny_model_dir: Path, name: str, at: int, special: bool
) -> None:
    dialect = dialect_as(name, at)
    dressed = dressed_as(tiny_model_dir, dialect, special=special)
    rng = np.random.default_rng(len(name))
    cut = 0
    for number in range(50 if special else 10):
        called = TOOLS[number % len(TOOLS)]
        mode = ToolMode.FUNCTION
        prompt = prepared(dressed, dialect, ToolUse(TOOLS, mode, called.name))
        said = ramble(prompt.plan, dressed, rng)
        cut += not said.has_ended
        if not said.has_ended:
            continue
        heard = hear(prompt, dressed, said)
        assert (heard.text, heard.warnings) == ("", [])
        assert [call.name for call in heard.calls] == [called.name]
        check_calls(heard)
    assert cut <= 2
