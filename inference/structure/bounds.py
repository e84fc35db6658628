"""What llguidance would accept and must not: unbounded work, promises it breaks."""

from __future__ import annotations

import json
import math
import re
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from inference.structure.chains import (
    REPEATS_MAX,
    RULE_LEVELS_MAX,
    SCHEMA_LEVELS_MAX,
    regexes_in,
    repeats,
    rule_levels,
    schema_levels,
)
from inference.structure.faults import Fault

if TYPE_CHECKING:
    from collections.abc import Iterator

SOURCE_CHARACTERS_MAX = 256 * 1024
OBJECTS_MAX = 5_000  # about a second to compile
DEPTH_MAX = 120  # llguidance's own reader ends at 128
# Divisibility is an automaton of as many states as the divisor; 100,000 cost 0.2 s.
DIVISOR_MAX = 100_000
# Control characters without a short escape, and DEL, which llguidance never writes.
_UNWRITABLE = re.compile(r"[\x00-\x07\x0b\x0e-\x1f\x7f]")
_JSON_TERM = re.compile(r"%json\b\s*")


def fault_of_bounds(schema: Any) -> Fault | None:
    """Return what speaks against giving `schema` to llguidance at all."""
    divisor = 1
    for count, (node, depth) in enumerate(_objects(schema)):
        if count >= OBJECTS_MAX:
            return Fault("", f"the schema has more than {OBJECTS_MAX:,} objects")
        if depth > DEPTH_MAX:
            return Fault("", f"the schema is nested deeper than {DEPTH_MAX} levels")
        divisor = math.lcm(divisor, _whole_divisor(node.get("multipleOf")))
        if divisor > DIVISOR_MAX:
            return Fault(
                "multipleOf", "'multipleOf' has too many digits to be enforced"
            )
        if fault := _fault_of_object(node):
            return fault
    if schema_levels(schema) > SCHEMA_LEVELS_MAX:
        return Fault(
            "$ref",
            f"along '$ref' the schema is nested deeper than {SCHEMA_LEVELS_MAX} levels",
        )
    return None


def fault_of_regex(source: str) -> Fault | None:
    """Return what speaks against giving a regular expression to llguidance."""
    if repeats(source) > REPEATS_MAX:
        return Fault("", f"it repeats a part more than {REPEATS_MAX:,} times")
    return None


def fault_of_lark(source: str) -> Fault | None:
    """Return what speaks against giving Lark to llguidance, schemas in it included."""
    if source.lstrip().startswith("{"):
        return Fault("", "it is not Lark but JSON")
    for term in _JSON_TERM.finditer(source):
        try:
            schema, _ = json.JSONDecoder().raw_decode(source, term.end())
        except (ValueError, RecursionError):
            return Fault("%json", "a %json is followed by no JSON")
        if fault := fault_of_bounds(schema):
            return fault
    if rule_levels(source) > RULE_LEVELS_MAX:
        return Fault("", f"its rules lead deeper than {RULE_LEVELS_MAX} levels")
    faults = (fault_of_regex(regex) for regex in regexes_in(source))
    return next((fault for fault in faults if fault), None)


def _objects(schema: Any) -> Iterator[tuple[dict[str, Any], int]]:
    """Yield every object in the schema, whatever its place means."""
    stack = [(schema, 1)]
    while stack:
        node, depth = stack.pop()
        if isinstance(node, dict):
            yield node, depth
            stack.extend((value, depth + 1) for value in node.values())
        elif isinstance(node, list):
            stack.extend((value, depth + 1) for value in node)


def _whole_divisor(value: Any) -> int:
    """Return the divisor with its decimal point moved away."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not value:
        return 1
    exact = Decimal(str(value))
    if not exact.is_finite() or abs(exact.adjusted()) > 18:
        return DIVISOR_MAX + 1
    exponent = int(exact.normalize().as_tuple().exponent)
    return abs(int(exact.scaleb(max(0, -exponent))))


def _fault_of_object(node: dict[str, Any]) -> Fault | None:
    if "draft-03" in str(node.get("$schema", "")):
        return Fault("$schema", "'$schema' names draft 3, which is not supported")
    for keyword in ("const", "enum"):
        if _has_unwritable(node.get(keyword)):
            return Fault(
                keyword,
                f"'{keyword}' holds a control character, which cannot be written",
            )
    pattern = node.get("pattern")
    if isinstance(pattern, str) and fault_of_regex(pattern):
        return Fault(
            "pattern", f"a 'pattern' repeats a part more than {REPEATS_MAX:,} times"
        )
    least, required = node.get("minProperties"), node.get("required", [])
    # Keys that the schema does not name may repeat, and then count twice.
    if type(least) is int and type(required) is list and least - len(required) > 1:
        return Fault(
            "minProperties",
            "'minProperties' cannot be enforced for more than one property beyond "
            "those that 'required' names",
        )
    return None


def _has_unwritable(value: Any) -> bool:
    if isinstance(value, str):
        return _UNWRITABLE.search(value) is not None
    if isinstance(value, dict):
        parts = [*value, *value.values()]
    else:
        parts = value if isinstance(value, list) else []
    return any(_has_unwritable(part) for part in parts)
