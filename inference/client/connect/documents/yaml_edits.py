"""Settings written into YAML text: every other character stays, comments with them."""

from __future__ import annotations

import json
import re
from textwrap import indent
from typing import TYPE_CHECKING, Any

import yaml

from inference.client.connect.documents.settings import (
    ConfigSetting,
    ListElement,
    Step,
    UnmergeableError,
    place_of,
    with_settings,
    with_value,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from yaml.nodes import Node

_NULL = "tag:yaml.org,2002:null"
_COMMENT = re.compile(r"(?:^|\s)#")
_UNWRAPPED = 1_000_000


class _Dumper(yaml.SafeDumper):
    """Writes texts so that YAML 1.1 and 1.2 read them alike."""


def _write_text(dumper: _Dumper, text: str) -> yaml.ScalarNode:
    # `1e5` is a text to the one and a number to the other.
    style = None if text[:1].isalpha() else '"'
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _write_text)


def read_yaml(text: str) -> Any:
    """Return what a YAML text says.

    Raises:
        UnmergeableError: it is no YAML.
    """
    try:
        return yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise UnmergeableError(f"it is no YAML{_line_of(error)}") from None


def write_yaml(text: str, settings: Iterable[ConfigSetting]) -> str:
    """Return YAML text with settings in it.

    Raises:
        UnmergeableError: it is no YAML, or a comment would be lost.
    """
    for setting in settings:
        data = read_yaml(text)
        if data != with_settings(data, [setting]):
            text = _with_setting(text, setting)
    return text


def _with_setting(text: str, setting: ConfigSetting) -> str:
    node = yaml.compose(text, Loader=yaml.SafeLoader)
    if node is None or node.tag == _NULL:
        # Nothing but comments, as in samples where every line is one.
        block = _dumped(with_value(None, setting.path, setting.value))
        return _after_line(text, len(text), block)
    for depth, step in enumerate(setting.path):
        rest = setting.path[depth + 1 :]
        child = _child_of(node, step)
        if child is None:
            return _added(text, node, step, with_value(None, rest, setting.value))
        if child.tag == _NULL:
            value = with_value(None, rest, setting.value)
            return _replaced(text, child, value, node.start_mark.column)
        node = child
    return _replaced(text, node, setting.value, node.start_mark.column)


def _child_of(node: Node, step: Step) -> Node | None:
    if isinstance(step, ListElement):
        items = [_texts_of(item) for item in node.value]
        place = place_of(items, step)
        return node.value[place] if place < len(items) else None
    named = [value for key, value in node.value if key.value == step]
    return named[-1] if named else None


def _texts_of(node: Node) -> dict[str, Any]:
    """Return the names of a mapping with what is written beside them."""
    if not isinstance(node, yaml.MappingNode):
        return {}
    return {str(key.value): value.value for key, value in node.value}


def _replaced(text: str, node: Node, value: Any, column: int) -> str:
    start, end = node.start_mark.index, _end_of(node)
    old = text[start:end]
    end -= len(old) - len(old.rstrip())
    if _COMMENT.search(text[start:end]):
        line = node.start_mark.line + 1
        raise UnmergeableError(f"comments from line {line} on would be lost")
    is_absent, block = start == end, indent(_dumped(value), " " * column)
    if is_absent and isinstance(value, dict | list):  # a name with nothing behind it
        deeper = "  " if isinstance(value, dict) else ""
        return _after_line(text, start, indent(block, deeper))
    is_block = isinstance(node, yaml.CollectionNode) and not _is_flowing(node)
    if not is_block or not isinstance(value, dict | list):
        gap = " " if is_absent else ""
        return f"{text[:start]}{gap}{_flowing(value)}{text[end:]}"
    return f"{text[:start]}{block.strip()}{text[end:]}"


def _added(text: str, node: Node, step: Step, value: Any) -> str:
    """Return the text with one more member or item at the end of what a node is."""
    is_item = isinstance(step, ListElement)
    if _is_flowing(node):
        member = _flowing(value)
        if not is_item:
            member = f"{_flowing(step)}: {member}"
        closing = node.end_mark.index - 1
        comma = ", " if node.value else ""
        return f"{text[:closing]}{comma}{member}{text[closing:]}"
    block = _dumped([value] if is_item else {step: value})
    return _after_line(text, _end_of(node), indent(block, " " * node.start_mark.column))


def _is_flowing(node: Node) -> bool:
    """Whether it is written with brackets, as JSON is."""
    return isinstance(node, yaml.CollectionNode) and bool(node.flow_style)


def _end_of(node: Node) -> int:
    """Return where the last value in a node ends; comments below it are not its own."""
    while isinstance(node, yaml.CollectionNode) and node.value and not node.flow_style:
        last = node.value[-1]
        node = last[1] if isinstance(last, tuple) else last
    return int(node.end_mark.index)


def _after_line(text: str, place: int, block: str) -> str:
    """Return the text with whole lines after the one in which `place` is."""
    newline = "\r\n" if "\r\n" in text else "\n"
    block = block.replace("\n", newline)
    if place == 0 or text[place - 1] == "\n":
        return text[:place] + block + text[place:]
    end = text.find("\n", place) + 1
    if not end:
        return text + newline + block
    return text[:end] + block + text[end:]


def _dumped(value: Any) -> str:
    return yaml.dump(
        value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=_UNWRAPPED
    )


def _flowing(value: Any) -> str:
    """Return a value on one line; JSON is YAML."""
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False)
    return _dumped(value).removesuffix("...\n").strip()


def _line_of(error: Exception) -> str:
    mark = getattr(error, "problem_mark", None)
    return f": line {mark.line + 1} cannot be read" if mark else ""
