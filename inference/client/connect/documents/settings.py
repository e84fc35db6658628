"""What is set in a document: values under paths, the same for every format."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


class UnmergeableError(ValueError):
    """A document cannot take a setting, or not without loss; the message is one line."""


@dataclass(frozen=True, slots=True)
class ListElement:
    """The element of a list whose `key` has this `value`; a new one where none has."""

    key: str
    value: str

    def __str__(self) -> str:
        """Name it as people would."""
        return f"[{self.key}={self.value}]"


Step = str | ListElement


@dataclass(frozen=True, slots=True)
class ConfigSetting:
    """A value of JSON's types, and where it stands; the last step is replaced whole."""

    path: tuple[Step, ...]
    value: Any


def with_settings(data: Any, settings: Iterable[ConfigSetting]) -> Any:
    """Return plain data with all settings in it; `data` itself stays as it is.

    Raises:
        UnmergeableError: what is there already is of another kind.
    """
    for setting in settings:
        data = with_value(data, setting.path, setting.value)
    return data


def with_value(data: Any, path: Sequence[Step], value: Any) -> Any:
    """Return plain data with one value under a path; nothing counts as empty.

    Raises:
        UnmergeableError: what is there already is of another kind.
    """
    if not path:
        return value
    step, *rest = path
    if isinstance(step, ListElement):
        items = list(as_list(data, step))
        place = place_of(items, step)
        old = items[place] if place < len(items) else None
        items[place : place + 1] = [with_value(old, rest, value)]
        return items
    members = as_object(data, step)
    return {**members, step: with_value(members.get(step), rest, value)}


def place_of(items: Sequence[Any], element: ListElement) -> int:
    """Return where an element stands in a list; its end where it is not there."""
    for place, item in enumerate(items):
        if isinstance(item, dict) and item.get(element.key) == element.value:
            return place
    return len(items)


def as_object(data: Any, step: Step) -> dict[str, Any]:
    """Return what must be an object to hold a step; nothing is an empty one."""
    if data is None:
        return {}
    if not isinstance(data, dict):
        raise UnmergeableError(f"what should hold {str(step)!r} is no object")
    return data


def as_list(data: Any, step: Step) -> list[Any]:
    """Return what must be a list to hold a step; nothing is an empty one."""
    if data is None:
        return []
    if not isinstance(data, list):
        raise UnmergeableError(f"what should hold {str(step)!r} is no list")
    return data
