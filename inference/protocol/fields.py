"""Serializer fields that take JSON at its word: no "1" for 1, no true for 1.

DRF's own fields coerce, because HTML forms must; an API that guesses hides its
clients' mistakes. Limits arrive by the serializer's context (`limits`). A field
says all that `docs/parameters.md` tells of it.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any

import msgspec
from rest_framework import serializers
from rest_framework.exceptions import ValidationError

from inference.protocol import faults

if TYPE_CHECKING:
    from collections.abc import Iterable

    from inference.core.limits import Limits

UNSUPPORTED = "unsupported_parameter"


class Standing(StrEnum):
    """What becomes of a parameter that a client sends."""

    HONOURED = "honoured"
    NO_EFFECT = "no effect"
    REFUSED = "refused"


class StrictField(serializers.Field[Any, Any, Any, Any]):
    """A value of exactly the JSON types in `types`; `what` names them in errors.

    `help_text` says what it does, `absent` what holds without it, `refuses`
    what is refused beside another type or a value out of range.
    """

    types: tuple[type, ...] = ()
    what: str = ""
    default_error_messages = {
        "invalid_type": "expected {expected}, but got {got} instead.",
    }

    def __init__(
        self,
        *,
        help_text: str = "",
        absent: str = "",
        refuses: str = "",
        standing: Standing = Standing.HONOURED,
    ) -> None:
        super().__init__(required=False, help_text=help_text)
        self.absent = absent
        self.refuses = refuses
        self.standing = standing

    @property
    def limits(self) -> Limits:
        """The bounds this request is checked against."""
        limits: Limits = self.context["limits"]
        return limits

    def bound(self, value: float | str) -> float:
        """Return a bound, looked up where it names an entry of `Limits`."""
        if isinstance(value, str):
            value = getattr(self.limits, value)
        return float(value) if isinstance(value, float) else int(value)

    def to_internal_value(self, data: Any) -> Any:
        """Refuse every other type. `bool` is an `int` in Python, not in JSON."""
        if type(data) not in self.types:
            self.fail("invalid_type", expected=self.what, got=faults.type_name(data))
        return self.to_value(data)

    def to_value(self, data: Any) -> Any:
        """Return the validated value of the right type."""
        return data

    def type_and_range(self) -> str:
        """Say which values it takes."""
        return self.what.removeprefix("an ").removeprefix("a ")

    def unknown_keys(self, data: Any) -> Iterable[str]:
        """Name the keys within a validated value that no rule here reads."""
        del data
        return ()


class Flag(StrictField):
    """true or false."""

    types = (bool,)
    what = "a boolean"


class JSONObject(StrictField):
    """Any object, unread."""

    types = (dict,)
    what = "an object"


class Number(StrictField):
    """A number from `low` (or above it: `above=True`) to `high`, both included.

    A bound given as a string names an entry of `Limits`.
    """

    types: tuple[type, ...] = (int, float)
    what = "a decimal"
    kind = "decimal"
    default_error_messages = {
        "below": "{kind} below minimum value. Expected a value {sign} {bound}, "
        "but got {got} instead.",
        "over": "{kind} above maximum value. Expected a value <= {bound}, "
        "but got {got} instead.",
    }

    def __init__(
        self, low: float, high: float | str, *, above: bool = False, **said: Any
    ) -> None:
        super().__init__(**said)
        self.low = low
        self.high = high
        self.above = above

    def to_value(self, data: Any) -> Any:
        """Check the range before anything converts: integers may be huge."""
        high = self.bound(self.high)
        if data < self.low or (self.above and data == self.low):
            self._refuse("below", self.low, data)
        if data > high:
            self._refuse("over", high, data)
        return self.convert(data)

    def convert(self, data: Any) -> float | int:
        """Return the number in its own type."""
        return float(data)

    def type_and_range(self) -> str:
        """Say the range."""
        least = f"above {self.low:,}" if self.above else f"{self.low:,}"
        return f"{self.kind}, {least} to {self.bound(self.high):,}".removesuffix(".0")

    def _refuse(self, key: str, bound: float, data: Any) -> None:
        message = self.error_messages[key].format(
            kind=self.kind,
            sign=">" if self.above else ">=",
            bound=bound,
            got=faults.shown(str(data)),
        )
        side = "below_min" if key == "below" else "above_max"
        raise ValidationError(message, code=f"{self.kind}_{side}_value")


class Integer(Number):
    """A whole number without a decimal point."""

    types = (int,)
    what = "an integer"
    kind = "integer"

    def convert(self, data: Any) -> int:
        """Return the integer as it is."""
        return int(data)


class Text(StrictField):
    """A string of 1 to `limit` characters; `limit` may name an entry of `Limits`."""

    types = (str,)
    what = "a string"
    default_error_messages = {
        "empty_string": "empty string. Expected at least one character.",
        "string_above_max_length": "string too long. Expected at most {limit} "
        "characters, but got {got} instead.",
    }

    def __init__(self, limit: int | str, *, blank: bool = False, **said: Any) -> None:
        super().__init__(**said)
        self.limit = limit
        self.blank = blank

    def to_value(self, data: Any) -> Any:
        """Check the length."""
        limit = self.bound(self.limit)
        if not data and not self.blank:
            self.fail("empty_string")
        if len(data) > limit:
            self.fail("string_above_max_length", limit=limit, got=len(data))
        return data

    def type_and_range(self) -> str:
        """Say the lengths."""
        return (
            f"string, {0 if self.blank else 1} to {self.bound(self.limit):,} characters"
        )


class Choice(StrictField):
    """One of some strings."""

    types = (str,)
    what = "a string"
    default_error_messages = {
        "invalid_value": "'{got}' is none of the supported values: {supported}.",
    }

    def __init__(self, *choices: str, **said: Any) -> None:
        super().__init__(**said)
        self.choices = choices

    def to_value(self, data: Any) -> Any:
        """Refuse what is not among the choices."""
        if data not in self.choices:
            supported = ", ".join(f"'{choice}'" for choice in self.choices)
            self.fail("invalid_value", got=faults.shown(data), supported=supported)
        return data

    def type_and_range(self) -> str:
        """Name the choices."""
        return ", ".join(f'`"{choice}"`' for choice in self.choices)


class OnlyDefault(StrictField):
    """A parameter OpenAI knows and this server does not honour.

    A value that says "as if it were absent" passes; any other one of the right
    type is refused by name. `help_text` says what to do or know instead.
    """

    default_error_messages = {
        UNSUPPORTED: "is not supported. {instead} Leave it out{or_default}.",
    }

    def __init__(self, what: str, *defaults: Any, **said: Any) -> None:
        super().__init__(standing=Standing.REFUSED, **said)
        self.what = what
        self.types = _TYPES_BY_NAME[what]
        self.defaults = defaults

    def to_value(self, data: Any) -> Any:
        """Accept a default, refuse the rest."""
        if data in self.defaults:
            return data
        or_default = f" or send {_json(self.defaults[0])}" if self.defaults else ""
        instead = str(self.help_text).replace("`", "'")
        return self.fail(UNSUPPORTED, instead=instead, or_default=or_default)

    def type_and_range(self) -> str:
        """Name what passes."""
        passing = ", ".join(f"`{_json(default)}`" for default in self.defaults)
        return f"only {passing}" if passing else "nothing but `null`"


_TYPES_BY_NAME: dict[str, tuple[type, ...]] = {
    "a boolean": (bool,),
    "a string": (str,),
    "an array": (list,),
    "an object": (dict,),
    "a string or an object": (str, dict),
}


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()
