"""What the record keeps of a body: its parameters, and the names that nobody knows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from inference.protocol import faults

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

_IGNORED_NAMES = 20
_IGNORED_NAME_CHARS = 64
_RECORDED_BYTES = 1024
_RECORDED_WHOLE = ("user", "metadata")


def shown_names(ignored: Sequence[str], *, strict: bool) -> list[str]:
    """Return the first of the names that nobody knows, cut to a length.

    Raises:
        UnsupportedParameterError: there are any, where `strict`.
    """
    shown = [name[:_IGNORED_NAME_CHARS] for name in ignored[:_IGNORED_NAMES]]
    if strict and ignored:
        raise faults.unknown(shown, more=len(ignored) - len(shown))
    return shown


def recorded_params(
    declared: type[msgspec.Struct],
    body: dict[str, Any],
    *,
    ignored: list[str],
    leaving_out: Collection[str],
) -> dict[str, Any]:
    """Return the parameters as sent; never a prompt, never long."""
    params = {
        name: value if name in _RECORDED_WHOLE else _to_recorded(value)
        for name, value in body.items()
        if value is not None
        and name in declared.__struct_fields__
        and name not in leaving_out
    }
    if ignored:
        params["ignored"] = ignored
    return params


def _to_recorded(value: Any) -> Any:
    if isinstance(value, bool | int | float):
        return value
    size_bytes = len(msgspec.json.encode(value))
    return value if size_bytes <= _RECORDED_BYTES else f"({size_bytes} bytes)"
