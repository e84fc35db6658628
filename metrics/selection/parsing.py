"""From the text of one parameter to its value, and back; everything has a bound."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from django.utils import timezone
from django.utils.datastructures import MultiValueDict

from inference.core.errors import InvalidRequestError

if TYPE_CHECKING:
    from collections.abc import Mapping

# Stands for the empty value of a column.
NONE = "none"
MOST_VALUES = 50
MOST_CHARACTERS = 255
_EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
_LATEST = datetime(2100, 1, 1, tzinfo=UTC)
_NUMBER = re.compile(r"\d{1,12}(\.\d{1,9})?")
# A "+" in an address that was not escaped arrives as a space.
_LOST_PLUS = re.compile(r" (?=\d\d:?\d\d$)")


class SelectionError(InvalidRequestError):
    """A parameter whose value means nothing; says which and what is wrong."""

    def __init__(self, param: str, message: str) -> None:
        super().__init__(f"Invalid '{param}': {message}.", param=param)


def given(params: Mapping[str, str], name: str) -> str:
    """Return a parameter's text, empty where there is none.

    One that stands several times in an address counts as a list.
    """
    if isinstance(params, MultiValueDict):
        texts = [str(text) for text in params.getlist(name)]
    else:
        texts = [params.get(name, "")]
    text = ",".join(filter(None, texts)).strip()
    if "\0" in text:
        raise SelectionError(name, "contains a NUL character")
    return text


def read_moment(name: str, text: str) -> datetime | None:
    """Read ISO 8601 or Unix seconds; without a zone it is this server's."""
    if not text:
        return None
    try:
        at = _moment(text)
    except (ValueError, OverflowError):
        message = f"{_short(text)} is neither an ISO 8601 time nor Unix seconds"
        raise SelectionError(name, message) from None
    if not _EARLIEST <= at <= _LATEST:
        raise SelectionError(name, "must lie between 1970 and 2100")
    return at


def _moment(text: str) -> datetime:
    if _NUMBER.fullmatch(text):
        return datetime.fromtimestamp(float(text), UTC)
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        at = datetime.fromisoformat(_LOST_PLUS.sub("+", text))
    if timezone.is_naive(at):
        at = timezone.make_aware(at)
    return at.astimezone(UTC)


def write_moment(at: datetime) -> str:
    """Write a time so that it may stand in an address as it is."""
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def read_number(name: str, text: str, most: float) -> float | None:
    """Read a number from 0 to `most`."""
    if not text:
        return None
    try:
        number = float(text)
    except ValueError:
        raise SelectionError(name, f"{_short(text)} is not a number") from None
    if not math.isfinite(number) or not 0 <= number <= most:
        raise SelectionError(name, f"must lie between 0 and {most:,.0f}")
    return number


def read_whole(name: str, text: str, most: float) -> float | None:
    """Read a whole number from 0 to `most`."""
    number = read_number(name, text, most)
    if number is not None and number != int(number):
        raise SelectionError(name, "must be a whole number")
    return number


def write_number(number: float) -> str:
    """Write a number as short as it reads the same."""
    return str(int(number)) if number == int(number) else repr(number)


def read_flag(name: str, text: str) -> bool | None:
    """Read yes or no."""
    if text not in ("", "yes", "no"):
        raise SelectionError(name, f"must be yes or no, not {_short(text)}")
    return text == "yes" if text else None


def read_values(name: str, text: str, allowed: tuple[str, ...] = ()) -> tuple[str, ...]:
    r"""Read values between commas; `\` keeps a comma, and a real "none", as it is."""
    values = sorted({_plain(part) for part in _parts(text)})
    if len(values) > MOST_VALUES:
        raise SelectionError(name, f"has more than {MOST_VALUES} values")
    for value in values:
        if len(value) > MOST_CHARACTERS:
            message = f"{_short(value)} is longer than {MOST_CHARACTERS} characters"
            raise SelectionError(name, message)
        if allowed and value and value not in allowed:
            known = ", ".join(allowed)
            message = f"{_short(value)} is not one of {known}, {NONE}"
            raise SelectionError(name, message)
    return tuple(values)


def write_values(values: tuple[str, ...]) -> str:
    """Write values so that `read_values` returns them."""
    return ",".join(_escaped(value) for value in values)


def _parts(text: str) -> list[str]:
    found = re.findall(r"(?:\\.|[^,\\]|\\$)+", text, re.DOTALL)
    return [part.strip() for part in found if part.strip()]


def _plain(part: str) -> str:
    if part == NONE:
        return ""
    return re.sub(r"\\(.)", r"\1", part, flags=re.DOTALL)


def _escaped(value: str) -> str:
    if not value:
        return NONE
    if value == NONE:
        return f"\\{NONE}"
    return re.sub(r"([\\,])", r"\\\1", value)


def _short(text: str) -> str:
    return f"“{text[:40]}…”" if len(text) > 40 else f"“{text}”"
