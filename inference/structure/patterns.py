"""What a schema says of a string, as regular expressions for a text without quotes."""

from __future__ import annotations

import re
from typing import Any

from inference.structure.lark import regex
from inference.structure.references import resolved

# Keywords that say nothing about which values fit.
ANNOTATIONS = frozenset(
    {
        "$comment",
        "$defs",
        "$id",
        "$schema",
        "default",
        "definitions",
        "deprecated",
        "description",
        "example",
        "examples",
        "nullable",
        "readOnly",
        "title",
        "type",
        "writeOnly",
    }
)
_DATE = r"[0-9]{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|1[0-9]|2[0-8])"
_TIME = (
    r"(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.[0-9]{1,6})?"
    r"(?:Z|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])"
)
_OCTET = r"(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
_LABEL = r"[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?"
# Each narrower than its standard, never wider.
_FORMATS = {
    "date": _DATE,
    "time": _TIME,
    "date-time": f"{_DATE}T{_TIME}",
    "duration": r"P(?:[0-9]{1,4}D(?:T[0-9]{1,4}[HMS])?|T[0-9]{1,4}[HMS]|[0-9]{1,4}W)",
    "email": rf"[a-zA-Z0-9_+-]{{1,32}}(?:\.[a-zA-Z0-9_+-]{{1,16}})?@{_LABEL}(?:\.{_LABEL}){{1,3}}",
    "hostname": rf"{_LABEL}(?:\.{_LABEL}){{0,3}}",
    "ipv4": rf"{_OCTET}(?:\.{_OCTET}){{3}}",
    "ipv6": r"(?:[0-9a-fA-F]{1,4}:){7}[0-9a-fA-F]{1,4}",
    "uuid": r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}",
    "uri": rf"[a-z][a-z0-9+.-]{{1,15}}://{_LABEL}(?:\.{_LABEL}){{0,3}}(?:/[\w.~%-]{{0,64}}){{0,8}}",
}
_STRING_KEYS = frozenset({"allOf", "pattern", "minLength", "maxLength", "format"})
_DEPTH_MOST = 16
_ANCHORS = re.compile(r"\^|\$|\\[bBAzZG]")


class CannotWriteError(Exception):
    """A schema cannot be held to where values are written without quotes."""


def patterns_of(schema: dict[str, Any], root: Any, depth: int = 0) -> list[str]:
    """Return the terminals that a string's text has to match, all of them.

    Raises:
        CannotWriteError: a keyword cannot be said so.
    """
    if depth > _DEPTH_MOST:
        raise CannotWriteError("it refers to itself")
    if schema.keys() - ANNOTATIONS - _STRING_KEYS - {"$ref"}:
        raise CannotWriteError("a keyword is not one of strings")
    found = []
    pointer = schema.get("$ref")
    if isinstance(pointer, str):
        found += _patterns_of_part(resolved(root, pointer), root, depth)
    for part in schema.get("allOf", ()):
        found += _patterns_of_part(part, root, depth)
    if "pattern" in schema:
        found.append(_searched(schema["pattern"]))
    if "format" in schema:
        if schema["format"] not in _FORMATS:
            raise CannotWriteError("its format is not known")
        found.append(regex(_FORMATS[schema["format"]]))
    least, most = schema.get("minLength", 0), schema.get("maxLength")
    if most == 0:
        raise CannotWriteError("it is always empty")
    if least or most is not None:
        upper = "" if most is None else int(most)
        found.append(regex(f"(?s:.{{{int(least)},{upper}}})"))
    return found


def _patterns_of_part(part: Any, root: Any, depth: int) -> list[str]:
    if not isinstance(part, dict):
        raise CannotWriteError("a part is no schema")
    return patterns_of(part, root, depth + 1)


def _searched(pattern: str) -> str:
    """Return the terminal of the texts in which a pattern is found somewhere."""
    begins, ends = pattern.startswith("^"), _ends_anchored(pattern)
    inner = pattern[begins : len(pattern) - ends]
    if _ANCHORS.search(_outside_classes(inner)) or (
        (begins or ends) and "|" in _outside_groups(inner)
    ):
        raise CannotWriteError("its pattern has anchors inside")
    before, after = ("" if anchored else "(?s:.*)" for anchored in (begins, ends))
    return regex(f"{before}(?:{inner}){after}")


def _ends_anchored(pattern: str) -> bool:
    return re.search(r"(?<!\\)(?:\\\\)*\$$", pattern) is not None


def _outside_classes(pattern: str) -> str:
    """Return a pattern without its classes and escaped characters."""
    escapes = r"\\[^bBAzZG]"
    return re.sub(rf"\[\^?\]?(?:\\.|[^\]\\])*\]|{escapes}", "", pattern, flags=re.S)


def _outside_groups(pattern: str) -> str:
    left = _outside_classes(pattern)
    while True:
        shorter = re.sub(r"\([^()]*\)", "", left)
        if shorter == left:
            return left
        left = shorter
