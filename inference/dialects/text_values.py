"""Values as families write them that put no quotes around strings, by their schema.

What is read of such a text is decided by the declared types (`schema_types.to_value`);
what may be written here is therefore what is read as a value that fits.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from inference.dialects.schema_types import (
    STRING,
    Types,
    is_same,
    misfit,
    resolved,
    to_value,
    types_in,
)
from inference.structure.lark import regex
from inference.structure.patterns import ANNOTATIONS, CannotWriteError, patterns_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    # Whether an answer that is held to a schema may be a value.
    Fits = Callable[[dict[str, Any], Any], bool]

_DEPTH_MOST = 16
_UNIONS = ("anyOf", "oneOf")
# A text that matches is read as a value of the type, where the type is one of several.
_READ_AS = {
    "null": r"\s*(?:null|None)\s*",
    "boolean": r"\s*(?:true|false|True|False)\s*",
    "integer": r"\s*[-+0-9.eE]+\s*",
    "number": r"\s*[-+0-9.eE]+\s*",
    "object": r"\s*\{(?s:.*)",
    "array": r"\s*\[(?s:.*)",
}
# How scalars are written beside strings: one terminal has to tell them all apart.
_SCALARS = {
    "null": "null",
    "boolean": "true|false",
    "integer": "-?(?:0|[1-9][0-9]{0,15})",
    "number": r"-?(?:0|[1-9][0-9]{0,15})(?:\.[0-9]{1,15})?",
}
_SCALAR_TYPES = frozenset(_SCALARS)
# As many whole numbers are written out where they are bounded.
_NUMBERS_MOST = 1000
_OTHERS = frozenset(_READ_AS)


@dataclass(frozen=True, slots=True)
class TextValue:
    """Any text that matches all of `patterns`, terminals in Lark, or one of `words`.

    `types` are those of the words that are no strings.
    """

    patterns: tuple[str, ...] = ()
    may_be_empty: bool = True
    words: tuple[str, ...] = ()
    types: Types = frozenset()


@dataclass(frozen=True, slots=True)
class Word:
    """One text; `is_text`: it is a string and not JSON."""

    text: str
    is_text: bool


@dataclass(frozen=True, slots=True)
class Json:
    """JSON that fits a schema, of these types where they are known."""

    schema: dict[str, Any]
    types: Types | None


Value = TextValue | Word | Json


def values_of(schema: Any, root: dict[str, Any], fits: Fits) -> list[Value]:
    """Return the ways of writing a value that fits, of which any may be taken.

    Raises:
        CannotWriteError: a string among them cannot be held to what is declared.
    """
    values = _values_of(schema, root, fits, 0)
    types = types_in(schema, root)
    others = (types or STRING) - STRING
    if types is not None and not others:
        return values
    for value in values:
        if isinstance(value, Word) and not _is_read_back(value, schema, root):
            raise CannotWriteError("a member is read as another value")
    if not any(isinstance(value, TextValue) for value in values):
        return values
    return _joined(values, others)


def _joined(values: list[Value], others: Types) -> list[Value]:
    """Return strings and scalars as one text, which is read as what it looks like."""
    barred = tuple(f"~{regex(_READ_AS[name])}" for name in sorted(others & _OTHERS))
    words: list[str] = []
    types: Types = frozenset()
    kept: list[Value] = []
    texts: list[TextValue] = []
    for value in values:
        if isinstance(value, TextValue):
            texts.append(value)
        elif isinstance(value, Word):
            words.append(regex(re.escape(value.text)))
        elif value.types and value.types & _SCALAR_TYPES:
            words += map(regex, _scalars(value))
            types |= value.types & _SCALAR_TYPES
            if rest := value.types - _SCALAR_TYPES:
                kept.append(Json({**value.schema, "type": sorted(rest)}, rest))
        else:
            kept.append(value)
    for text in texts:
        patterns = (*text.patterns, *barred)
        kept.append(replace(text, patterns=patterns, words=tuple(words), types=types))
        words = []
    return kept


def _scalars(value: Json) -> Iterator[str]:
    """Yield expressions for the scalars that a schema admits."""
    types = (value.types or frozenset()) & _SCALAR_TYPES
    if "number" in types:
        types -= {"integer"}
    said = value.schema.keys() - ANNOTATIONS
    for name in sorted(types):
        if not said or name == "null" or (name == "boolean" and "enum" not in said):
            yield _SCALARS[name]
        elif name == "integer" and said <= {"minimum", "maximum"}:
            least, most = (value.schema.get(key) for key in ("minimum", "maximum"))
            if not (isinstance(least, int) and isinstance(most, int)):
                raise CannotWriteError("its numbers cannot be told from texts")
            if most - least > _NUMBERS_MOST:
                raise CannotWriteError("its numbers are too many")
            yield "|".join(map(str, range(least, most + 1)))
        else:
            raise CannotWriteError("its scalars cannot be told from texts")


def _is_read_back(word: Word, schema: Any, root: dict[str, Any]) -> bool:
    meant = word.text if word.is_text else json.loads(word.text)
    return is_same(to_value(schema, word.text, root), meant)


def _values_of(
    schema: Any, root: dict[str, Any], fits: Fits, depth: int
) -> list[Value]:
    if depth > _DEPTH_MOST:
        raise CannotWriteError("it refers to itself")
    if schema is True:
        schema = {}
    if not isinstance(schema, dict):
        raise CannotWriteError("nothing fits")
    whole = resolved(schema, root)
    types = types_in(whole, root)
    said = whole.keys() - ANNOTATIONS
    if types is not None and not types & STRING:
        return [Json(within(whole, root), types)]
    if said & {"enum", "const"}:
        return _words(whole, root, fits)
    if unions := said & set(_UNIONS):
        if len(said) > 1:
            raise CannotWriteError("a union stands beside other keywords")
        branches = whole[unions.pop()]
        return [v for part in branches for v in _values_of(part, root, fits, depth + 1)]
    if types is not None:
        return _mixed(whole, types, root, fits)
    if said:
        raise CannotWriteError("it does not say its type")
    return [TextValue()]


def _mixed(
    whole: dict[str, Any], types: Types, root: dict[str, Any], fits: Fits
) -> list[Value]:
    """Return a string's text, and JSON where other types may come as well."""
    others = types & _OTHERS
    if not others:
        return [_text(whole, root, fits)]
    declared = {key: value for key, value in whole.items() if key not in _STRING_KEYS}
    declared["type"] = sorted(others)
    declared.pop("nullable", None)
    alone = {key: value for key, value in whole.items() if key in _KEPT}
    return [Json(within(declared, root), others), _text(alone, root, fits)]


_STRING_KEYS = frozenset({"pattern", "minLength", "maxLength", "format"})
# What is said of strings where other types may come as well.
_KEPT = ANNOTATIONS | _STRING_KEYS | {"allOf"}


def _text(schema: dict[str, Any], root: dict[str, Any], fits: Fits) -> TextValue:
    patterns = tuple(patterns_of(schema, root))
    alone = {key: schema[key] for key in schema.keys() - {"allOf", "$ref"}}
    may_be_empty = not patterns or (
        not {"allOf"} & schema.keys() and fits({**alone, "type": "string"}, "")
    )
    return TextValue(patterns, may_be_empty)


def _words(schema: dict[str, Any], root: dict[str, Any], fits: Fits) -> list[Value]:
    members = schema["enum"] if "enum" in schema else [schema["const"]]
    if not isinstance(members, list):
        raise CannotWriteError("its members are no list")
    is_plain = not schema.keys() - ANNOTATIONS - {"enum", "const"}
    alone = {} if is_plain else within(schema, root)
    words: list[Value] = []
    for member in members:
        does_fit = not misfit(schema, member, root) and (
            is_plain or fits(alone, member)
        )
        if not does_fit:
            continue
        is_text = isinstance(member, str)
        text = member if is_text else json.dumps(member, ensure_ascii=False)
        words.append(Word(text, is_text))
    if not words:
        raise CannotWriteError("no member fits")
    return words


def within(schema: Any, root: dict[str, Any]) -> Any:
    """Return a part of `root` as a schema that stands alone: its references hold."""
    if not (isinstance(schema, dict) and _refers(schema)):
        return schema
    moved = _moved(root)
    return {"allOf": [_moved(schema)], "$defs": {"root": moved}}


def _refers(node: Any) -> bool:
    if isinstance(node, dict):
        return "$ref" in node or any(map(_refers, node.values()))
    return isinstance(node, list) and any(map(_refers, node))


def _moved(node: Any) -> Any:
    if isinstance(node, list):
        return [_moved(each) for each in node]
    if not isinstance(node, dict):
        return node
    moved = {key: _moved(value) for key, value in node.items()}
    pointer = node.get("$ref")
    if isinstance(pointer, str) and pointer.startswith("#"):
        moved["$ref"] = f"#/$defs/root{pointer[1:]}"
    return moved
