"""Reads what must lie within an object: owns the checks that nested rules share.

`path` is the object's own, as the client would write it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from inference.protocol import faults

if TYPE_CHECKING:
    from collections.abc import Iterable
    from collections.abc import Set as AbstractSet

T = TypeVar("T")

_FUNCTION_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_FORMAT_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")


def required(parent: dict[str, Any], key: str, kind: type[T], *, path: str) -> T:
    """Return `parent[key]`, which must be there and of type `kind`."""
    value = optional(parent, key, kind, path=path)
    if value is None:
        raise faults.missing(f"{path}.{key}")
    return value


def optional(parent: dict[str, Any], key: str, kind: type[T], *, path: str) -> T | None:
    """Return `parent[key]`, which is of type `kind` where it is there."""
    value = parent.get(key)
    if value is None:
        return None
    if type(value) is not kind:
        raise faults.wrong_type(f"{path}.{key}", faults.named(kind), value)
    return value


def tagged(value: Any, *, path: str) -> str:
    """Return the `type` of what must be an object with one."""
    if type(value) is not dict:
        raise faults.wrong_type(path, "an object", value)
    return required(value, "type", str, path=path)


def function_name(parent: dict[str, Any], *, path: str) -> str:
    """Return the name of a function."""
    return _name(parent, _FUNCTION_NAME, path=path)


def format_name(parent: dict[str, Any], *, path: str) -> str:
    """Return the name of a response format."""
    return _name(parent, _FORMAT_NAME, path=path)


def schema_text(schema: dict[str, Any], *, path: str, limit: int) -> str:
    """Return a schema as JSON text of at most `limit` characters."""
    text = msgspec.json.encode(schema).decode()
    if len(text) > limit:
        raise faults.too_long(path, limit=limit, length=len(text), what="object")
    return text


def others(value: Any, known: AbstractSet[str], path: str = "") -> Iterable[str]:
    """Name the keys of an object that are not among the `known` ones."""
    if type(value) is dict and not value.keys() <= known:
        for key, item in value.items():
            if key not in known and item is not None:
                yield f"{path}.{key}" if path else key


def _name(parent: dict[str, Any], pattern: re.Pattern[str], *, path: str) -> str:
    name = required(parent, "name", str, path=path)
    if not pattern.fullmatch(name):
        why = f"string does not match pattern. Expected '^{pattern.pattern}$'."
        raise faults.invalid(f"{path}.name", why)
    return name
