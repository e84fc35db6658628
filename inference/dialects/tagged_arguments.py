"""Calls that are tags with a tag for each parameter, as a grammar."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from inference.dialects.parameters import Parameters, parameters_of
from inference.dialects.text_values import Json, TextValue, Word, values_of
from inference.structure.arguments import arguments_of
from inference.structure.lark import regex
from inference.structure.patterns import CannotWriteError

if TYPE_CHECKING:
    from inference.core.requests import Tool
    from inference.dialects.call_rules import CallRules
    from inference.dialects.tags import Tag
    from inference.dialects.text_values import Value

_INDEX = r"/[1-9][0-9]?/"
# How many parameters that are declared nowhere one call may have.
_UNDECLARED_MOST = 8
_TYPE_NAMES = ("array", "boolean", "null", "number", "object")


class _Tags(Protocol):
    @property
    def call(self) -> Tag: ...
    @property
    def parameter(self) -> Tag: ...
    @property
    def trims(self) -> bool: ...
    @property
    def whole(self) -> Tag | None: ...


@dataclass(frozen=True, slots=True)
class TagPair:
    """The tags of calls that have no others."""

    call: Tag
    parameter: Tag
    trims: bool = False
    whole: Tag | None = None


@dataclass(frozen=True, slots=True)
class TaggedArguments:
    """Writes a call tag, its parameters' tags and what closes them.

    `line` stands after each tag, `last` after the call's closing one, `heading` before
    it. What cannot be
    said so is written as JSON in the parameters' place.
    """

    tags: _Tags
    line: str
    last: str
    heading: str = ""

    def __call__(self, tool: Tool, rules: CallRules, skipped: str = "") -> str:
        """Return the expression of a call; see `WriteCall`."""
        call = self.tags.call
        template = f"{self.heading}{call.start}{call.writes}{call.head_end}{self.line}"
        head = rules.filled(template.removeprefix(skipped), tool.name, index=_INDEX)
        try:
            inside = self._parameters(parameters_of(tool), rules)
        except CannotWriteError:
            inside = self._as_json(tool, rules)
        return f"{head} {inside} {rules.literal(call.close + self.last)}"

    def _as_json(self, tool: Tool, rules: CallRules) -> str:
        json = rules.json(arguments_of(tool))
        whole = self.tags.whole
        if whole is None:
            return f"{json} {rules.literal(self.line)}"
        opening = whole.start + whole.writes + whole.head_end
        return f"{rules.literal(opening)} {json} {rules.literal(whole.close)}"

    def _parameters(self, found: Parameters, rules: CallRules) -> str:
        parts = [
            (self._parameter(name, schema, found.root, rules), needed)
            for name, schema, needed in found.members
        ]
        names = [name for name, _, _ in found.members]
        others = self._undeclared(names, rules) if found.is_open else ""
        return f"{rules.members(parts, '')} {others}"

    def _parameter(
        self, name: str, schema: Any, root: dict[str, Any], rules: CallRules
    ) -> str:
        tag = self.tags.parameter
        if tag.head_end in name or not _is_read(tag, name):
            raise CannotWriteError("a name cannot stand in a tag")
        return rules.one_of(
            self._value(value, rules, name)
            for value in values_of(schema, root, rules.fits)
        )

    def _undeclared(self, names: list[str], rules: CallRules) -> str:
        """Return parameters of any name but these, each any text."""
        name = "/[A-Za-z_][A-Za-z0-9_-]{0,63}/"
        if names:
            name += " & ~" + regex("|".join(map(re.escape, names)))
        one = rules.rule(self._value(TextValue(), rules, undeclared=name))
        return f"({one}){{0,{_UNDECLARED_MOST}}}"

    def _value(
        self, value: Value, rules: CallRules, name: str = "", **terminals: str
    ) -> str:
        """Return a parameter with this value, `name` or the terminal `undeclared`."""
        tag, edge = self.tags.parameter, "\n" if self.tags.trims else ""
        is_text = not isinstance(value, Json) and (
            isinstance(value, TextValue) or value.is_text
        )
        types = _types_of(value)
        if "undeclared" in terminals:
            written = tag.writes.replace("{name}", "{undeclared}")
        else:
            written = tag.writes
        if not (isinstance(value, TextValue) and value.types):
            written = written.replace("{is_string}", str(is_text).lower())
        before = rules.filled(
            f"{tag.start}{written}{tag.head_end}{edge}",
            name,
            type=regex("|".join(types)),
            is_string=regex("true|false"),
            **terminals,
        )
        close = f"{edge}{tag.close}{self.line}"
        return f"{before} {rules.value(value, close=close, barred=tag.close)}"


def _types_of(value: Value) -> tuple[str, ...]:
    """Return what a dialect may call the types of a value."""
    if isinstance(value, Word):
        return ("string",) if value.is_text else _TYPE_NAMES
    types = value.types or frozenset()
    named = {"number" if name == "integer" else name for name in types}
    if isinstance(value, TextValue):
        named.add("string")
    return tuple(sorted(named)) or _TYPE_NAMES


def _is_read(tag: Tag, name: str) -> bool:
    """Whether the reader finds this name in the tag."""
    try:
        return tag.name_in(tag.writes.replace("{name}", name)) == name
    except ValueError:
        return False
