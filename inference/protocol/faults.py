"""What is wrong with a request, said in OpenAI's words: owns the 400 sentences.

Every function returns the error to raise; `path` is the field as the client
would write it (`messages[0].content[1].text`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from inference.core.errors import InvalidRequestError, UnsupportedParameterError

if TYPE_CHECKING:
    from collections.abc import Iterable

_SHOWN_CHARS = 64
_TYPE_NAMES: dict[type, str] = {
    str: "a string",
    bool: "a boolean",
    int: "an integer",
    float: "a decimal number",
    list: "an array",
    dict: "an object",
    type(None): "null",
}


def type_name(value: Any) -> str:
    """Name a JSON value's type with its article."""
    return named(type(value))


def named(kind: type) -> str:
    """Name a JSON type with its article."""
    return _TYPE_NAMES.get(kind, "an unknown type")


def shown(text: str) -> str:
    """Return a client's text, short enough to be repeated to it."""
    return text if len(text) <= _SHOWN_CHARS else f"{text[:_SHOWN_CHARS]}…"


def missing(path: str) -> InvalidRequestError:
    """A field that must be there is absent or null."""
    return InvalidRequestError(
        f"Missing required parameter: '{path}'.",
        param=path,
        code="missing_required_parameter",
    )


def wrong_type(path: str, expected: str, value: Any) -> InvalidRequestError:
    """The value has another JSON type than `expected` ("a string")."""
    return InvalidRequestError(
        f"Invalid type for '{path}': expected {expected}, "
        f"but got {type_name(value)} instead.",
        param=path,
        code="invalid_type",
    )


def wrong_value(path: str, value: str, supported: Iterable[str]) -> InvalidRequestError:
    """The value is none of the `supported` ones."""
    choices = ", ".join(f"'{choice}'" for choice in supported)
    return InvalidRequestError(
        f"Invalid value: '{shown(value)}'. Supported values are: {choices}.",
        param=path,
        code="invalid_value",
    )


def too_long(path: str, *, limit: int, length: int, what: str) -> InvalidRequestError:
    """A string, array or object (`what`) has more than `limit` items."""
    items = "items" if what == "array" else "characters"
    return InvalidRequestError(
        f"Invalid '{path}': {what} too long. Expected at most {limit} {items}, "
        f"but got {length} instead.",
        param=path,
        code=f"{what}_above_max_length",
    )


def empty(path: str, *, what: str) -> InvalidRequestError:
    """A string or array (`what`) that must hold something is empty."""
    return InvalidRequestError(
        f"Invalid '{path}': empty {what}. Expected at least one "
        f"{'item' if what == 'array' else 'character'}.",
        param=path,
        code=f"empty_{what}",
    )


def too_many(
    path: str, many: str, *, limit: int, length: int, code: str
) -> InvalidRequestError:
    """An object has more than `limit` keys, named `many`."""
    why = f"too many {many}. Expected at most {limit}, but got {length} instead."
    return InvalidRequestError(f"Invalid '{path}': {why}", param=path, code=code)


def below(path: str, noun: str, expected: str, value: float) -> InvalidRequestError:
    """A number is smaller than `expected` (">= 0"); `noun` is "decimal" or "integer"."""
    return _out_of_range(
        path, f"{noun} below minimum", f"{noun}_below_min", expected, value
    )


def above(path: str, noun: str, expected: str, value: float) -> InvalidRequestError:
    """A number is larger than `expected` ("<= 2")."""
    return _out_of_range(
        path, f"{noun} above maximum", f"{noun}_above_max", expected, value
    )


def _out_of_range(
    path: str, what: str, code: str, expected: str, value: float
) -> InvalidRequestError:
    return InvalidRequestError(
        f"Invalid '{path}': {what} value. Expected a value {expected}, "
        f"but got {shown(str(value))} instead.",
        param=path,
        code=f"{code}_value",
    )


def none_of(path: str, value: str, supported: Iterable[str]) -> InvalidRequestError:
    """The value of a parameter is none of the `supported` ones."""
    choices = ", ".join(f"'{choice}'" for choice in supported)
    why = f"'{shown(value)}' is none of the supported values: {choices}."
    return invalid(path, why)


def mismatch(path: str, pattern: str) -> InvalidRequestError:
    """A string does not match its pattern."""
    return invalid(path, f"string does not match pattern. Expected '{pattern}'.")


def unsupported(path: str, why: str) -> UnsupportedParameterError:
    """A known field that is not honoured here; `why` ends the sentence."""
    return UnsupportedParameterError(
        f"Unsupported parameter: '{path}' {why}", param=path
    )


def invalid(path: str, why: str) -> InvalidRequestError:
    """A value that cannot be taken for another reason; `why` is a sentence."""
    return InvalidRequestError(f"Invalid '{path}': {why}", param=path)


def unknown(names: list[str], *, more: int = 0) -> InvalidRequestError:
    """Names that no rule here reads; `more` of them are not listed."""
    plural = "s" if len(names) + more > 1 else ""
    listed = ", ".join(f"'{name}'" for name in names)
    rest = f" and {more} more" if more else ""
    return InvalidRequestError(
        f"Unknown parameter{plural}: {listed}{rest}.",
        param=names[0],
        code="unknown_parameter",
    )
