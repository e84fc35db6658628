"""Odd forms that known clients send, and what each is taken for.

Only what can mean one thing: anything else is told as the wrong type it has.
`docs/parameters.md` lists them, field by field, from the marks at the end.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from inference.protocol.declared import Lax

if TYPE_CHECKING:
    from collections.abc import Callable

# Beyond that a decimal is no exact integer.
_WHOLE_MOST = 2**53
_WHOLE = re.compile(r"[+-]?[0-9]{1,20}(?:\.0*)?")
_DECIMAL = re.compile(r"[+-]?(?:[0-9]{1,20}(?:\.[0-9]{0,20})?|\.[0-9]{1,20})")


def whole(value: Any, _path: str) -> Any:
    """Take `3.0`, `"3"` and `"3.0"` for 3."""
    if isinstance(value, str) and _WHOLE.fullmatch(value):
        return int(value.partition(".")[0])
    if isinstance(value, float) and value.is_integer() and abs(value) <= _WHOLE_MOST:
        return int(value)
    return value


def decimal(value: Any, _path: str) -> Any:
    """Take `"0.5"` for 0.5."""
    if isinstance(value, str) and _DECIMAL.fullmatch(value):
        return float(value)
    return value


def unlimited(value: Any, path: str) -> Any:
    """Take -1 for no number at all, and the rest as `whole` does."""
    found = whole(value, path)
    return None if type(found) is int and found == -1 else found


def text_alone(value: Any, path: str, ignored: list[str]) -> Any:
    """List a wish for nothing but text, which is what answers are."""
    ignored += [path] if value == ["text"] else []
    return value


def empty_as_absent(value: Any, _path: str) -> Any:
    """Take what is empty as absent."""
    return value or None


def only_empty(refusal: Callable[[str, str], Exception], why: str) -> Lax:
    """Take what is empty as absent, refuse the rest; the field holds nothing."""

    def turn(value: Any, path: str) -> None:
        if value:
            raise refusal(path, why)

    return Lax(turn)


WHOLE = Lax(whole, '`3.0`, `"3"` and `"3.0"` are 3')
DECIMAL = Lax(decimal, '`"0.5"` is 0.5')
TOKENS = Lax(unlimited, '-1 is the same as leaving it out; `3.0` and `"3"` are 3')
EMPTY = Lax(empty_as_absent, "what is empty is the same as leaving it out")
