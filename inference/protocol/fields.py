"""Serializer fields that take JSON at its word: no "1" for 1, no true for 1.

DRF's own fields coerce, because HTML forms must; an API that guesses hides its
clients' mistakes. Limits arrive by the serializer's context (`limits`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import msgspec
from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail, ValidationError

from inference.core.errors import InvalidRequestError, UnsupportedParameterError
from inference.protocol import faults

if TYPE_CHECKING:
    from collections.abc import Mapping

    from inference.core.limits import Limits

UNSUPPORTED = "unsupported_parameter"


class StrictField(serializers.Field[Any, Any, Any, Any]):
    """A value of exactly the JSON types in `types`; `what` names them in errors."""

    types: ClassVar[tuple[type, ...]] = ()
    what: ClassVar[str] = ""
    default_error_messages = {
        "invalid_type": "expected {expected}, but got {got} instead.",
    }

    def __init__(self, *, help_text: str = "", **options: Any) -> None:
        super().__init__(required=False, help_text=help_text, **options)

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

    types: ClassVar[tuple[type, ...]] = (int, float)
    what = "a decimal"
    kind: ClassVar[str] = "decimal"
    default_error_messages = {
        "below": "{kind} below minimum value. Expected a value {sign} {bound}, "
        "but got {got} instead.",
        "over": "{kind} above maximum value. Expected a value <= {bound}, "
        "but got {got} instead.",
    }

    def __init__(
        self, low: float, high: float | str, *, above: bool = False, help_text: str = ""
    ) -> None:
        super().__init__(help_text=help_text)
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

    def __init__(
        self, limit: int | str, *, blank: bool = False, help_text: str = ""
    ) -> None:
        super().__init__(help_text=help_text)
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


class OnlyDefault(StrictField):
    """A parameter OpenAI knows and this server does not honour yet.

    Its default says "as if it were absent" and passes; anything else is refused
    by name. The type counts: true is not 1.
    """

    default_error_messages = {
        UNSUPPORTED: "is not supported yet. Leave it out{or_default}.",
    }

    def __init__(self, *defaults: Any, help_text: str = "") -> None:
        super().__init__(help_text=help_text)
        self.defaults = defaults

    def to_internal_value(self, data: Any) -> Any:
        """Accept a default, refuse the rest."""
        is_flag = type(data) is bool
        for default in self.defaults:
            if data == default and is_flag == (type(default) is bool):
                return data
        or_default = ""
        if self.defaults:
            or_default = f" or send {msgspec.json.encode(self.defaults[0]).decode()}"
        return self.fail(UNSUPPORTED, or_default=or_default)


class BodySerializer(serializers.Serializer[Any]):
    """Validates what was sent, in the order it was sent; null means absent.

    Only the keys that are there cost time, so one instance serves all requests:
    `run_validation` keeps no state. Unknown keys are left to the caller.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, required=False, **options)

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        """Return the validated values of the known keys."""
        if type(data) is not dict:
            message = f"expected an object, but got {faults.type_name(data)} instead."
            raise ValidationError(message, code="invalid_type")
        fields = self._bound_fields
        values: dict[str, Any] = {}
        for name, value in data.items():
            if value is None or name not in fields:
                continue
            try:
                values[name] = fields[name].run_validation(value)
            except ValidationError as error:
                raise ValidationError({name: error.detail}) from None
        return values

    def is_known(self, name: str) -> bool:
        """Whether the table has a line for `name`."""
        return name in self._bound_fields

    def run_validation(self, data: Any = serializers.empty) -> Any:
        """Validate without DRF's walk over every declared field."""
        return self.validate(self.to_internal_value(data))

    @property
    def _bound_fields(self) -> Mapping[str, Any]:
        return self.fields.fields


def to_error(error: ValidationError) -> InvalidRequestError:
    """Turn the first fault a serializer found into the error a client sees."""
    path, fault = _first_fault(error.detail)
    if fault.code == UNSUPPORTED:
        message = f"Unsupported parameter: '{path}' {fault}"
        return UnsupportedParameterError(message, param=path)
    prefix = "Invalid type for" if fault.code == "invalid_type" else "Invalid"
    return InvalidRequestError(
        f"{prefix} '{path}': {fault}", param=path, code=fault.code
    )


def _first_fault(detail: Any, path: str = "") -> tuple[str, ErrorDetail]:
    while not isinstance(detail, ErrorDetail):
        if isinstance(detail, list):
            detail = detail[0]
            continue
        key, detail = next(iter(detail.items()))
        path = f"{path}[{key}]" if key.isdecimal() else f"{path}.{key}" if path else key
    return path, detail
