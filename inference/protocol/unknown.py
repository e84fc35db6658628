"""Names within a value that its type does not know: found, to be listed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, get_args

from inference.protocol.declared import hints, is_array, is_struct, unwrapped

Finder = Callable[[Any, str], dict[str, None]]


def unknown_names(kind: Any) -> Finder:
    """Return what finds such names in a value that fits `kind`, each once, as paths.

    It is made once for a type: a conversation has thousands of objects.
    """
    return _finder(kind) or (lambda _value, _path: {})


def _finder(kind: Any) -> Finder | None:
    """Return the finder of a type; `None`: there is nothing to be found in it."""
    options, _ = unwrapped(kind)
    if structs := [each for each in options if is_struct(each)]:
        return _of_objects(structs)
    if len(options) > 1:
        return next(filter(None, map(_finder, options)), None)
    return _of_items(get_args(options[0])[0]) if is_array(options[0]) else None


def _of_items(kind: Any) -> Finder | None:
    find = _finder(kind)
    if find is None:
        return None

    def look(value: Any, path: str) -> dict[str, None]:
        names: dict[str, None] = {}
        where = f"{path}[]"
        for item in value:
            names |= find(item, where)
        return names

    return look


def _of_objects(structs: list[Any]) -> Finder:
    tag_field = structs[0].__struct_config__.tag_field
    known: dict[Any, frozenset[str]] = {}
    inner: dict[Any, dict[str, Finder]] = {}
    for struct in structs:
        kinds, tag = hints(struct), struct.__struct_config__.tag
        known[tag] = frozenset({*kinds, tag_field})
        finders = {name: _finder(kind) for name, kind in kinds.items()}
        inner[tag] = {name: find for name, find in finders.items() if find}

    def look(value: Any, path: str) -> dict[str, None]:
        names: dict[str, None] = {}
        if type(value) is not dict:
            return names
        tag = value[tag_field] if tag_field else None
        if not value.keys() <= known[tag]:
            for name, item in value.items():
                if name not in known[tag] and item is not None:
                    names[f"{path}.{name}"] = None
        for name, find in inner[tag].items():
            if type(value.get(name)) in (dict, list):
                names |= find(value[name], f"{path}.{name}")
        return names

    return look
