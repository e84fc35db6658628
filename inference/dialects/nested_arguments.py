"""Calls whose lists and objects are tags in tags, as a grammar."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from inference.dialects.parameters import members_of
from inference.dialects.quoted_arguments import ARRAY, OBJECT, repeated
from inference.dialects.schema_types import resolved, types_in
from inference.dialects.text_values import values_of
from inference.structure.arguments import arguments_of
from inference.structure.patterns import CannotWriteError

if TYPE_CHECKING:
    from inference.core.requests import Tool
    from inference.dialects.call_rules import CallRules

_NAME = re.compile(r"[A-Za-z_][\w.\-]{0,255}")
_ITEM = "item"
_DEPTH_MOST = 12


@dataclass(frozen=True, slots=True)
class NestedArguments:
    """Writes `<invoke name="f">`, a tag for each value, JSON for what cannot be one."""

    prefix: str

    def __call__(self, tool: Tool, rules: CallRules, skipped: str = "") -> str:
        """Return the expression of a call; see `WriteCall`."""
        head = f'{self.prefix}<invoke name="{tool.name}">'.removeprefix(skipped)
        close = rules.literal(f"{self.prefix}</invoke>\n")
        schema = arguments_of(tool)
        try:
            inside = self._members(schema, schema, rules, 0)
        except CannotWriteError:
            inside = rules.json(schema)
        return f"{rules.literal(head)} {inside} {close}"

    def _members(
        self, schema: Any, root: dict[str, Any], rules: CallRules, depth: int
    ) -> str:
        found = members_of(schema, root)
        for name, _, _ in found.members:
            if name == _ITEM or not _NAME.fullmatch(name):
                raise CannotWriteError("a name is none of tags")
        if found.is_open:
            raise CannotWriteError("other members may come")
        parts = [
            (self._element(name, part, root, rules, depth), needed)
            for name, part, needed in found.members
        ]
        return rules.members(parts, "")

    def _element(
        self, tag: str, schema: Any, root: dict[str, Any], rules: CallRules, depth: int
    ) -> str:
        """Return a value between its tags."""
        opening = rules.literal(f"{self.prefix}<{tag}>")
        close = f"{self.prefix}</{tag}>"
        inside = self._inside(resolved(schema, root), root, rules, depth)
        if inside is not None:
            return rules.rule(f"{opening} {inside} {rules.literal(close)}")
        values = (
            rules.value(value, close=close, barred=f"{self.prefix}<")
            for value in values_of(schema, root, rules.fits)
        )
        return rules.rule(f"{opening} {rules.one_of(values)}")

    def _inside(
        self, schema: dict[str, Any], root: dict[str, Any], rules: CallRules, depth: int
    ) -> str | None:
        """Return the tags of a list or an object; `None`: it is a text, or JSON."""
        types = types_in(schema, root)
        if depth > _DEPTH_MOST or types not in (OBJECT, ARRAY):
            return None
        try:
            if types == OBJECT:
                return self._members(schema, root, rules, depth + 1)
            item = self._element(_ITEM, schema.get("items", {}), root, rules, depth + 1)
            return repeated(item, schema, rules, "")
        except CannotWriteError:
            return None
