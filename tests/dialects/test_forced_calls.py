"""Calls that a model without sense is forced to make, in every dialect."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import jsonschema
import numpy as np
import pytest

from inference.core.requests import Grammar, GrammarKind, Tool, ToolMode, ToolUse
from inference.dialects.registry import DIALECTS
from inference.structure.arguments import arguments_of
from tests.dialects.dressing import Said, dress, hear, marks_of, prepared, ramble

if TYPE_CHECKING:
    from pathlib import Path

    from inference.dialects.dialect import Dialect
    from inference.engine.answers.plans import PreparedPrompt
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


@pytest.mark.parametrize("times", [1, pytest.param(5, marks=pytest.mark.endurance)])
@pytest.mark.parametrize("special", [True, False], ids=["special", "added"])
@pytest.mark.parametrize(("name", "at"), NAMES)
def test_forced_calls_of_every_tool_fit_their_schemas(
    tiny_model_dir: Path, name: str, at: int, special: bool, times: int
) -> None:
    dialect = dialect_as(name, at)
    dressed = dressed_as(tiny_model_dir, dialect, special=special)
    rng = np.random.default_rng(len(name))
    cut = 0
    for called in TOOLS * times:
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


def forced(
    base: Path, name: str, at: int, *, parallel: bool = True
) -> tuple[Dressed, PreparedPrompt]:
    """Return a model of this dialect and the plan of an answer that must call."""
    dialect = dialect_as(name, at)
    dressed = dressed_as(base, dialect, special=True)
    use = ToolUse(TOOLS, ToolMode.REQUIRED, parallel=parallel)
    return dressed, prepared(dressed, dialect, use)


@pytest.mark.parametrize(("name", "at"), NAMES)
def test_several_calls_come_only_where_they_may(
    tiny_model_dir: Path, name: str, at: int
) -> None:
    rng = np.random.default_rng(7)
    counts: dict[bool, set[int]] = {}
    for parallel in (True, False):
        dressed, prompt = forced(tiny_model_dir, name, at, parallel=parallel)
        for _ in range(8):
            said = ramble(prompt.plan, dressed, rng)
            if said.has_ended:
                heard = hear(prompt, dressed, said)
                assert (heard.text, heard.warnings) == ("", [])
                check_calls(heard)
                counts.setdefault(parallel, set()).add(len(heard.calls))
                assert len({call.id for call in heard.calls}) == len(heard.calls)
    form = dialect_as(name, at).form
    assert form is not None
    assert counts[False] == {1}
    assert max(counts[True]) > 1 or form.most == 1 or "gigachat" in name


@pytest.mark.parametrize(("name", "at"), NAMES)
def test_a_call_that_is_cut_off_has_told_the_beginning_of_its_arguments(
    tiny_model_dir: Path, name: str, at: int
) -> None:
    dressed, prompt = forced(tiny_model_dir, name, at, parallel=False)
    said = ramble(prompt.plan, dressed, np.random.default_rng(11))
    assert said.has_ended
    (whole,) = hear(prompt, dressed, said).calls
    told = 0
    for end in range(len(said.tokens)):
        heard = hear(
            prompt, dressed, Said(said.tokens[:end], has_ended=False), is_cut=True
        )
        assert not heard.text
        for call in heard.calls:
            assert call.name == whole.name
            assert whole.arguments.startswith(call.arguments)
            told = max(told, len(call.arguments))
    assert told > 0


@pytest.mark.parametrize(
    ("name", "at"), [each for each in NAMES if DIALECTS[each[0]].form.is_mark]
)
def test_free_text_is_held_from_a_mark_on(
    tiny_model_dir: Path, name: str, at: int
) -> None:
    dialect = dialect_as(name, at)
    assert dialect.form is not None
    dressed = dressed_as(tiny_model_dir, dialect, special=True)
    # Python's arguments have no such names, and no rules among them: nothing is held.
    tools = TOOLS[:-2] if name in ("lfm2", "olmo3") else TOOLS
    prompt = prepared(dressed, dialect, ToolUse(tools, parallel=False))
    rng = np.random.default_rng(3)
    guide_said = dressed.tokenizer.encode(dialect.form.start, add_special_tokens=False)
    for _ in range(5):
        said = ramble(prompt.plan, dressed, rng, begins=guide_said)
        heard = hear(prompt, dressed, said)
        assert (heard.text, heard.warnings) == ("", [])
        assert len(heard.calls) == 1
        assert heard.pieces > 1
        check_calls(heard)


@pytest.mark.parametrize(("name", "at"), NAMES)
def test_an_answer_is_a_call_or_a_text_that_fits(
    tiny_model_dir: Path, name: str, at: int
) -> None:
    schema = {"type": "object", "properties": {"answer": WORD}, "required": ["answer"]}
    grammar = Grammar(GrammarKind.JSON_SCHEMA, json.dumps(schema), "response_format")
    dialect = dialect_as(name, at)
    dressed = dressed_as(tiny_model_dir, dialect, special=True)
    prompt = prepared(dressed, dialect, ToolUse(TOOLS, parallel=False), grammar)
    rng = np.random.default_rng(5)
    kinds = set()
    for _ in range(24):
        said = ramble(prompt.plan, dressed, rng)
        assert said.has_ended
        heard = hear(prompt, dressed, said)
        kinds.add("call" if heard.calls else "text")
        if heard.calls:
            assert (heard.text, len(heard.calls)) == ("", 1)
            check_calls(heard)
        else:
            jsonschema.validate(json.loads(heard.text), schema)
    assert kinds == {"call", "text"}
