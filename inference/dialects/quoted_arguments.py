"""Gemma's calls as a grammar: names without quotes, texts between quotes of its own."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from inference.dialects.parameters import members_of
from inference.dialects.schema_types import resolved
from inference.dialects.text_values import Json, TextValue, Word, values_of, within
from inference.structure.arguments import arguments_of
from inference.structure.lark import quoted
from inference.structure.patterns import ANNOTATIONS, CannotWriteError

if TYPE_CHECKING:
    from inference.core.requests import Tool
    from inference.dialects.call_rules import CallRules
    from inference.dialects.text_values import Value

_NAME = re.compile(r"[\w.\-]{1,256}")
_DEPTH_MOST = 12
OBJECT, ARRAY = frozenset({"object"}), frozenset({"array"})
LIST_KEYS = frozenset({"items", "minItems", "maxItems"})


@dataclass(frozen=True, slots=True)
class QuotedArguments:
    """Writes `call:f{key:value,…}`, JSON in place of what cannot be written so."""

    quote: str

    def __call__(self, tool: Tool, rules: CallRules, skipped: str = "") -> str:
        """Return the expression of a call; see `WriteCall`."""
        head = rules.literal(f"call:{tool.name}".removeprefix(skipped))
        schema = arguments_of(tool)
        return f"{head} {self._native(schema, schema, rules, 0)}"

    def _native(
        self, schema: Any, root: dict[str, Any], rules: CallRules, depth: int
    ) -> str:
        """Return a list or an object as the family writes it, where that can be."""
        whole = resolved(schema, root)
        write = self._list if "items" in whole else self._object
        try:
            if depth <= _DEPTH_MOST:
                return write(whole, root, rules, depth)
        except CannotWriteError:
            pass
        return rules.json(within(whole, root))

    def _object(
        self, schema: Any, root: dict[str, Any], rules: CallRules, depth: int
    ) -> str:
        found = members_of(schema, root)
        if found.is_open and not found.members:
            return self._anything(rules)
        if found.is_open or not all(_NAME.fullmatch(n) for n, _, _ in found.members):
            raise CannotWriteError("names cannot be written without quotes")
        parts = [
            (
                rules.rule(
                    f"{rules.literal(f'{name}:')} {self._value(part, root, rules, depth)}"
                ),
                needed,
            )
            for name, part, needed in found.members
        ]
        return rules.rule(f'"{{" {rules.members(parts, ",")} "}}"')

    def _anything(self, rules: CallRules) -> str:
        """Return an object of whatever there may be."""
        name = rules.terminal("/[A-Za-z_][A-Za-z0-9_]{0,63}/")
        text = rules.value(TextValue(), close=self.quote, barred=self.quote)
        scalar = rules.json({"type": ["number", "boolean", "null"]})
        listed = '"[" (any_value ("," any_value){0,31})? "]"'
        quoted_text = f"{rules.literal(self.quote)} {text}"
        rules.defined("any_value", f"{quoted_text} | {scalar} | {listed} | any_object")
        member = f'{name} ":" any_value'
        return rules.defined(
            "any_object", f'"{{" ({member} ("," {member}){{0,15}})? "}}"'
        )

    def _list(
        self, schema: Any, root: dict[str, Any], rules: CallRules, depth: int
    ) -> str:
        item = self._value(schema["items"], root, rules, depth)
        return rules.rule(f'"[" {repeated(item, schema, rules, ",")} "]"')

    def _value(
        self, schema: Any, root: dict[str, Any], rules: CallRules, depth: int
    ) -> str:
        return rules.one_of(
            self._written(value, rules, depth)
            for value in values_of(schema, root, rules.fits)
        )

    def _written(self, value: Value, rules: CallRules, depth: int) -> str:
        if isinstance(value, Json):
            if value.types in (OBJECT, ARRAY):
                return self._native(value.schema, value.schema, rules, depth + 1)
            return rules.json(value.schema)
        if isinstance(value, Word) and not value.is_text:
            return quoted(value.text)
        text = value if isinstance(value, TextValue) else Word(value.text, is_text=True)
        inside = rules.value(text, close=self.quote, barred=self.quote)
        return f"{rules.literal(self.quote)} {inside}"


def repeated(
    item: str, schema: dict[str, Any], rules: CallRules, separator: str
) -> str:
    """Return as many items as an array's schema asks for.

    Raises:
        CannotWriteError: it asks for more than that.
    """
    if schema.keys() - ANNOTATIONS - LIST_KEYS:
        raise CannotWriteError("a keyword is not one of lists")
    least, most = int(schema.get("minItems", 0)), schema.get("maxItems")
    if most == 0:
        return ""
    upper = "" if most is None else int(most) - 1
    between = quoted(separator) if separator else ""
    more = f"({between} {item}){{{max(0, least - 1)},{upper}}}"
    if upper == 0:
        more = ""
    return f"{item} {more}" if least else f"({item} {more})?"
