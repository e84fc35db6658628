"""Grammars that ended a server once, or held it up."""

from __future__ import annotations

from typing import Any

CHAIN = 1100


def chained(levels: int, *, defs: str = "$defs") -> dict[str, Any]:
    """Return a schema whose definitions refer to each other; `defs` as they write it."""
    definitions: dict[str, Any] = {
        f"d{i}": {"anyOf": [{"$ref": f"#/{defs}/d{i + 1}"}, {"type": "null"}]}
        for i in range(levels)
    }
    definitions[f"d{levels}"] = {"type": "null"}
    return {
        "type": "object",
        "properties": {"x": {"$ref": f"#/{defs}/d0"}},
        "$defs": definitions,
    }


def chained_objects(levels: int) -> dict[str, Any]:
    definitions: dict[str, Any] = {
        f"d{i}": {
            "type": "object",
            "properties": {"a": {"$ref": f"#/$defs/d{i + 1}"}},
            "required": ["a"],
        }
        for i in range(levels)
    }
    definitions[f"d{levels}"] = {"type": "null"}
    return {"$ref": "#/$defs/d0", "$defs": definitions}


def chained_all_of(levels: int) -> dict[str, Any]:
    definitions: dict[str, Any] = {
        f"d{i}": {"allOf": [{"$ref": f"#/$defs/d{i + 1}"}]} for i in range(levels)
    }
    definitions[f"d{levels}"] = {"type": "object"}
    return {"allOf": [{"$ref": "#/$defs/d0"}], "$defs": definitions}


def chained_rules(levels: int, letter: str = "r") -> str:
    rules = [f'{letter}{i}: "a" {letter}{i + 1}' for i in range(levels)]
    return "\n".join([f"start: {letter}0", *rules, f'{letter}{levels}: "b"'])


def doubling(levels: int, letter: str = "r") -> str:
    rules = [f"{letter}{i}: {letter}{i + 1} {letter}{i + 1}" for i in range(levels)]
    return "\n".join([f"start: {letter}0", *rules, f'{letter}{levels}: "b"'])


# Passes as plain nesting, because its references are written in another way.
HIDDEN = chained(CHAIN, defs="%24defs")
# Takes more of each token, until it is too much.
AMBIGUOUS = 'start: s\ns: s s | "a" | s s s'
REGEXES = ("a{99999999}", "((a{1000}){1000}){1000}", "(a?){1000}a{1000}")
SCHEMAS = (chained(CHAIN), chained_objects(1200), chained_all_of(2400))
LARKS = (chained_rules(3000), chained_rules(3000, "T"), doubling(40), doubling(30, "T"))
