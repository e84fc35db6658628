"""Settings written into JSON text: every other character stays, comments with them."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from inference.client.connect.documents.jsonc import JsonNode, read_jsonc
from inference.client.connect.documents.settings import (
    ConfigSetting,
    ListElement,
    Step,
    UnmergeableError,
    as_list,
    as_object,
    place_of,
    with_value,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_UNIT = re.compile(r"\n([ \t]+)[^\s]")
_COMMENTS_OF_LINE = re.compile(
    r"[ \t]*(?://[^\r\n]*|(?:/\*[^\n]*?\*/[ \t]*)+(?://[^\r\n]*)?)"
)
# A string is passed over whole: what looks like a comment in it is none.
_COMMENT = re.compile(r'"(?:\\.|[^"\\])*"|(//|/\*)')


def write_json(text: str, settings: Iterable[ConfigSetting]) -> str:
    """Return JSON text with settings in it; a text that holds nothing becomes an object.

    Raises:
        UnmergeableError: it is no JSON, or a comment would be lost.
    """
    if not text.strip():
        text = "{}\n"
    for setting in settings:
        text = _with_setting(text, setting.path, setting.value)
    return text


def _with_setting(text: str, path: Sequence[Step], value: Any) -> str:
    node = read_jsonc(text)
    for depth, step in enumerate(path):
        rest = path[depth + 1 :]
        child = _child_of(node, step)
        if child is None:
            name = None if isinstance(step, ListElement) else step
            return _inserted(text, node, name, with_value(None, rest, value))
        if child.value is None:
            return _replaced(text, child, with_value(None, rest, value))
        node = child
    return _replaced(text, node, value)


def _child_of(node: JsonNode, step: Step) -> JsonNode | None:
    """Return what a step leads to; of names that stand there twice the last counts."""
    if isinstance(step, ListElement):
        place = place_of(as_list(node.value, step), step)
        return node.children[place].node if place < len(node.children) else None
    as_object(node.value, step)
    named = [child.node for child in node.children if child.name == step]
    return named[-1] if named else None


def _replaced(text: str, node: JsonNode, value: Any) -> str:
    if json.dumps(node.value) == json.dumps(value):
        return text
    old = text[node.start : node.end]
    if any(found[1] for found in _COMMENT.finditer(old)):
        line = text.count("\n", 0, node.start) + 1
        raise UnmergeableError(f"comments from line {line} on would be lost")
    written = _written(text, value, _indent_at(text, node.start))
    return text[: node.start] + written + text[node.end :]


def _inserted(text: str, node: JsonNode, name: str | None, value: Any) -> str:
    """Return the text with one more member or item at the end of what a node is."""
    label = "" if name is None else f"{json.dumps(name, ensure_ascii=False)}: "
    if not node.children:
        return _inserted_first(text, node, label, value)
    first, last = node.children[0], node.children[-1]
    comma = "" if node.has_comma else ","
    if "\n" not in text[node.start : first.begins]:
        member = label + json.dumps(value, ensure_ascii=False)
        return f"{text[: node.tail]}{comma} {member}{text[node.tail :]}"
    indent = _indent_at(text, first.begins)
    member = _newline(text) + indent + label + _written(text, value, indent)
    # What is said of the last value beside it stays beside it.
    beside = _COMMENTS_OF_LINE.match(text, node.tail)
    place = beside.end() if beside else node.tail
    end = last.node.end
    return f"{text[:end]}{comma}{text[end:place]}{member}{text[place:]}"


def _inserted_first(text: str, node: JsonNode, label: str, value: Any) -> str:
    outer = _indent_at(text, node.start)
    inner = outer + _unit(text)
    member = _newline(text) + inner + label + _written(text, value, inner)
    inside = text[node.start + 1 : node.end - 1]
    if not inside.strip():
        inside = _newline(text) + outer
    return f"{text[: node.start + 1]}{member}{inside}{text[node.end - 1 :]}"


def _written(text: str, value: Any, indent: str) -> str:
    """Return a value as JSON, laid out as the text around it."""
    dumped = json.dumps(value, indent=_unit(text), ensure_ascii=False)
    return dumped.replace("\n", _newline(text) + indent)


def _indent_at(text: str, index: int) -> str:
    line = text[text.rfind("\n", 0, index) + 1 : index]
    return line[: len(line) - len(line.lstrip(" \t"))]


def _unit(text: str) -> str:
    found = _UNIT.search(text)
    return found[1] if found else "  "


def _newline(text: str) -> str:
    return "\r\n" if "\r\n" in text else "\n"
