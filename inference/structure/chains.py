"""How deep a grammar leads, along references and rules, and how often it repeats.

llguidance follows both by recursion, and unrolls repetitions.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from inference.structure.references import resolved

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Iterator

SCHEMA_LEVELS_MAX = 300
RULE_LEVELS_MAX = 500
REPEATS_MAX = 20_000

_LARK = re.compile(
    r"""(?P<comment>//[^\n]*)
    |(?P<text>"(?:\\.|[^"\\\n])*")
    |(?P<regex>/(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\\n])+/)
    |(?:(?<=\n)|\A)[ \t]*[?!]?(?P<rule>[A-Za-z_]\w*)(?:\[[^\]\n]*\])?[ \t]*:
    |(?P<name>[A-Za-z_]\w*)""",
    re.VERBOSE,
)
_REPEAT = re.compile(r"\{(\d+)(?:,(\d*))?\}")


def schema_levels(schema: dict[str, Any]) -> int:
    """Return how many objects lie on the longest way down, references included.

    A reference back to where the way came from is not followed.
    """
    kept: dict[int, Any] = {}

    def parts_of(key: Hashable) -> Iterator[Hashable]:
        for part in _parts(kept[key], schema):  # type: ignore[index]
            kept[id(part)] = part
            yield id(part)

    kept[id(schema)] = schema
    return _height(id(schema), parts_of, lambda key: isinstance(kept[key], dict))  # type: ignore[index]


def rule_levels(source: str) -> int:
    """Return how many rules or terminals of Lark lie on the longest way down."""
    uses: dict[str, list[str]] = {}
    current: list[str] = []
    for token in _LARK.finditer(source):
        if name := token["rule"]:
            current = uses.setdefault(name, [])
        elif name := token["name"]:
            current.append(name)

    def parts_of(name: Hashable) -> Iterable[Hashable]:
        return uses.get(str(name), ())

    known: dict[Hashable, int] = {}
    return max((_height(name, parts_of, None, known) for name in uses), default=0)


def regexes_in(source: str) -> Iterator[str]:
    """Yield the regular expressions of a Lark grammar."""
    return (found["regex"] for found in _LARK.finditer(source) if found["regex"])


def repeats(regex: str) -> int:
    """Return how often a part of the expression is unrolled, at most.

    Repetitions inside repeated groups multiply.
    """
    most, atom = [1], 1
    at = 0
    while at < len(regex):
        char = regex[at]
        if char == "\\":
            atom, at = 1, at + 2
            continue
        if char == "[":
            atom, at = 1, _end_of_class(regex, at)
            continue
        if char == "{" and (found := _REPEAT.match(regex, at)):
            atom *= max(1, *(int(count[:12]) for count in found.groups("") if count))
            most[-1], at = max(most[-1], atom), found.end()
            continue
        if char == "(":
            most.append(1)
        elif char == ")" and len(most) > 1:
            atom = most.pop()
            most[-1] = max(most[-1], atom)
        elif char not in "*+?":
            atom = 1
        at += 1
    return max(most)


def _end_of_class(regex: str, at: int) -> int:
    """Return where the class of characters that begins at `at` is over."""
    at += 2 if regex.startswith("[^", at) else 1
    at += regex.startswith("]", at)
    while at < len(regex) and regex[at] != "]":
        at += 2 if regex[at] == "\\" else 1
    return at + 1


def _parts(node: Any, schema: dict[str, Any]) -> Iterator[Any]:
    if isinstance(node, list):
        yield from node
    if isinstance(node, dict):
        yield from node.values()
        name = node.get("$ref")
        if isinstance(name, str) and name.startswith("#"):
            yield resolved(schema, name)


def _height(
    start: Hashable,
    parts_of: Callable[[Hashable], Iterable[Hashable]],
    counts: Callable[[Hashable], bool] | None = None,
    known: dict[Hashable, int] | None = None,
) -> int:
    """Return the most nodes on a way from `start`, without going in circles."""
    known = {} if known is None else known
    if start in known:
        return known[start]
    known[start] = 0  # while it is open: a way back to it ends here
    way = [(start, iter(parts_of(start)), 0)]
    while True:
        node, rest, deepest = way.pop()
        for part in rest:
            if part not in known:
                known[part] = 0
                way.append((node, rest, deepest))
                way.append((part, iter(parts_of(part)), 0))
                break
            deepest = max(deepest, known[part])
        else:
            known[node] = deepest + (counts is None or counts(node))
            if not way:
                return known[node]
            above, others, most = way.pop()
            way.append((above, others, max(most, known[node])))
