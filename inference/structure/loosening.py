"""Schemas without what cannot be enforced in them: the rest of them still holds.

An answer that is held to such a schema may break what was left out; whether it does
is checked once it is there (`inference.structure.fitted`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from inference.structure.bounds import fault_of_regex
from inference.structure.schemas import is_never, rewritten, tidied

if TYPE_CHECKING:
    from collections.abc import Callable

    from inference.structure.faults import Fault

    Judge = Callable[[dict[str, Any]], Fault | None]

_UNENFORCED = frozenset(
    {
        "contains",
        "dependencies",
        "dependentRequired",
        "dependentSchemas",
        "else",
        "if",
        "maxContains",
        "minContains",
        "not",
        "propertyNames",
        "then",
        "unevaluatedItems",
        "unevaluatedProperties",
        "uniqueItems",
    }
)
_COUNTS = frozenset({"minProperties", "maxProperties"})


@dataclass(frozen=True, slots=True)
class Loosened:
    """A schema that can be enforced, and the `keywords` that were left out for it."""

    schema: dict[str, Any]
    keywords: tuple[str, ...]

    @property
    def short(self) -> str:
        """A few words, for a list of warnings."""
        verb = "is" if len(self.keywords) == 1 else "are"
        return f"{', '.join(self.keywords)} {verb} not enforced"


def loosened(schema: dict[str, Any], fault_of: Judge) -> Loosened | None:
    """Return the schema as far as `fault_of` has nothing against it.

    `None`: there is more against it than keywords that can be left out.
    """
    left = _Left(fault_of)
    loose = rewritten(tidied(schema), left.without_unenforced)
    for keyword, turn in (
        ("oneOf", left.one_of_as_any),
        ("minProperties", left.without_counts),
    ):
        fault = fault_of(loose)
        if fault is not None and fault.keyword.startswith(keyword):
            loose = rewritten(loose, turn)
    if not left.keywords or fault_of(loose) is not None:
        return None
    return Loosened(loose, tuple(sorted(left.keywords)))


class _Left:
    """Turns one object of a schema after the other, and collects what it left out."""

    def __init__(self, fault_of: Judge) -> None:
        self.keywords: set[str] = set()
        self._fault_of = fault_of
        self._taken: dict[tuple[str, str], bool] = {}

    def without_unenforced(self, node: dict[str, Any]) -> dict[str, Any]:
        # What nothing fits is no keyword to leave out: the schema is to be refused.
        left_out = set() if is_never(node) else node.keys() & _UNENFORCED
        if "pattern" in node and not self._is_pattern(node["pattern"]):
            left_out.add("pattern")
        name = node.get("format")
        if isinstance(name, str) and not self._is_taken("format", name):
            left_out.add("format")
        self.keywords |= left_out
        return self._without_patterns(
            {key: value for key, value in node.items() if key not in left_out}
        )

    def one_of_as_any(self, node: dict[str, Any]) -> dict[str, Any]:
        if "oneOf" not in node:
            return node
        self.keywords.add("oneOf")
        rest = {key: value for key, value in node.items() if key != "oneOf"}
        return {"anyOf": node["oneOf"], **rest}

    def without_counts(self, node: dict[str, Any]) -> dict[str, Any]:
        self.keywords |= node.keys() & _COUNTS
        return {key: value for key, value in node.items() if key not in _COUNTS}

    def _without_patterns(self, node: dict[str, Any]) -> dict[str, Any]:
        named = node.get("patternProperties")
        if not isinstance(named, dict) or all(map(self._is_pattern, named)):
            return node
        self.keywords.add("patternProperties")
        kept = {name: part for name, part in named.items() if self._is_pattern(name)}
        # Properties of the names that were left out have to be allowed by another.
        return {**node, "patternProperties": kept, "additionalProperties": True}

    def _is_pattern(self, pattern: Any) -> bool:
        # What repeats too often stays, to be refused.
        return (
            not isinstance(pattern, str)
            or fault_of_regex(pattern) is not None
            or self._is_taken("pattern", pattern)
        )

    def _is_taken(self, keyword: str, value: str) -> bool:
        pair = (keyword, value)
        if pair not in self._taken:
            fault = self._fault_of({"type": "string", keyword: value})
            self._taken[pair] = fault is None
        return self._taken[pair]
