"""JSON as editors' settings have it: read with where each value stands.

Comments and trailing commas are allowed, as VS Code, Zed and opencode do.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any, NoReturn

from inference.client.connect.documents.settings import UnmergeableError

_TRIVIA = re.compile(r"(?:[ \t\r\n\ufeff]+|//[^\n]*|/\*[\s\S]*?\*/)*")


@dataclass(frozen=True, slots=True)
class JsonNode:
    """One value and its place: it is `text[start:end]`.

    `children` are what an object or a list holds. `tail` is where the last of them
    ends, with its comma where `has_comma`.
    """

    value: Any
    start: int
    end: int
    children: tuple[JsonChild, ...] = ()
    tail: int = 0
    has_comma: bool = False


@dataclass(frozen=True, slots=True)
class JsonChild:
    """What an object or a list holds: it begins with its name, or without one."""

    name: str
    begins: int
    node: JsonNode


def read_jsonc(text: str) -> JsonNode:
    """Return the value that a text is.

    Raises:
        UnmergeableError: it is none; the message tells the line.
    """
    reader = _JsonReader(text)
    try:
        node = reader.value()
    except RecursionError:
        raise UnmergeableError("it is nested too deeply") from None
    reader.expect_end()
    return node


class _JsonReader:
    """Goes through a text once; owns how far it is."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._scalars = json.JSONDecoder(parse_constant=_refuse_constant)

    def value(self) -> JsonNode:
        """Read the value that comes next."""
        begin = self._next()
        if begin == "{":
            return self._container("}")
        if begin == "[":
            return self._container("]")
        start = self._at
        return JsonNode(self._scalar(), start, self._at)

    def expect_end(self) -> None:
        """Refuse anything but comments from here on."""
        if self._next():
            self._fail("something follows its end")

    def _container(self, closing: str) -> JsonNode:
        start = self._at
        self._at = tail = start + 1
        children: list[JsonChild] = []
        has_comma = False
        while not self._take(closing):
            if children and not has_comma:
                self._fail("a comma is missing")
            children.append(self._child(is_named=closing == "}"))
            tail = self._at
            has_comma = self._take(",")
            tail = self._at if has_comma else tail
        value: Any = [child.node.value for child in children]
        if closing == "}":
            value = {child.name: child.node.value for child in children}
        return JsonNode(value, start, self._at, tuple(children), tail, has_comma)

    def _child(self, *, is_named: bool) -> JsonChild:
        self._next()
        begins, name = self._at, ""
        if is_named:
            name = self._scalar()
            if not isinstance(name, str):
                self._fail("a name is missing")
            if not self._take(":"):
                self._fail("a colon is missing")
        return JsonChild(name, begins, self.value())

    def _scalar(self) -> Any:
        try:
            value, self._at = self._scalars.raw_decode(self._text, self._at)
        except ValueError:
            self._fail("a value is missing or broken")
        return value

    def _next(self) -> str:
        """Go to what comes next that is no comment, and return its first character."""
        found = _TRIVIA.match(self._text, self._at)
        self._at = found.end() if found else self._at
        return self._text[self._at : self._at + 1]

    def _take(self, mark: str) -> bool:
        if self._next() != mark:
            return False
        self._at += 1
        return True

    def _fail(self, what: str) -> NoReturn:
        line = self._text.count("\n", 0, self._at) + 1
        raise UnmergeableError(f"it is no JSON: {what} in line {line}")


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(name)
