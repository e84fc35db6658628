"""The grammar of the sampler's lists: stop strings, token ids and their biases."""

from __future__ import annotations

from typing import Any

from rest_framework.exceptions import ValidationError

from inference.protocol.fields import Integer, Number, StrictField, Text

# Made once: making one costs more than a thousand checks.
_BIAS = Number(-100, 100)


class StopStrings(StrictField):
    """One string, or some; becomes a tuple."""

    types = (str, list)
    what = "a string or an array of strings"

    def to_value(self, data: Any) -> tuple[str, ...]:
        """Check each string; name the one at fault by its place."""
        if isinstance(data, str):
            return (self._to_stop(data),)
        if len(data) > self.limits.stops:
            raise ValidationError(
                f"array too long. Expected at most {self.limits.stops} items, "
                f"but got {len(data)} instead.",
                code="array_above_max_length",
            )
        stops = []
        for i, item in enumerate(data):
            try:
                stops.append(self._to_stop(item))
            except ValidationError as error:
                raise ValidationError({str(i): error.detail}) from None
        return tuple(stops)

    def type_and_range(self) -> str:
        """Say how many and how long."""
        most, chars = self.limits.stops, self.limits.stop_chars
        return f"string, or array of up to {most}; 1 to {chars} characters each"

    def _to_stop(self, item: Any) -> str:
        text = Text(self.limits.stop_chars)
        stop: str = text.to_internal_value(item)
        return stop


class LogitBias(StrictField):
    """An object of token ids and biases; becomes a tuple of pairs."""

    types = (dict,)
    what = "an object of token ids and biases"

    def to_value(self, data: Any) -> tuple[tuple[int, float], ...]:
        """Check each pair; name the one at fault by its token."""
        if len(data) > self.limits.logit_bias:
            raise ValidationError(
                f"too many tokens. Expected at most {self.limits.logit_bias}, "
                f"but got {len(data)} instead.",
                code="object_above_max_properties",
            )
        largest = self.limits.token_id
        return tuple(_to_pair(key, value, largest) for key, value in data.items())

    def type_and_range(self) -> str:
        """Say how many and which biases."""
        most = self.limits.logit_bias
        return f"object of up to {most:,} token ids, each with -100 to 100"


def _to_pair(key: str, value: Any, largest: int) -> tuple[int, float]:
    if not (key.isascii() and key.isdecimal() and int(key[:12]) <= largest):
        raise ValidationError(
            f"expected token ids as keys, but got '{key[:64]}' instead.",
            code="invalid_value",
        )
    try:
        return int(key), _BIAS.to_internal_value(value)
    except ValidationError as error:
        raise ValidationError({f"'{key}'": error.detail}) from None


class TokenIds(StrictField):
    """Some token ids; becomes a tuple."""

    types = (list,)
    what = "an array of token ids"

    def to_value(self, data: Any) -> tuple[int, ...]:
        """Check each id; name the one at fault by its place."""
        if len(data) > self.limits.stop_token_ids:
            raise ValidationError(
                f"array too long. Expected at most {self.limits.stop_token_ids} "
                f"items, but got {len(data)} instead.",
                code="array_above_max_length",
            )
        return tuple(self._to_id(i, item) for i, item in enumerate(data))

    def type_and_range(self) -> str:
        """Say how many."""
        return f"array of up to {self.limits.stop_token_ids} token ids"

    def _to_id(self, place: int, item: Any) -> int:
        number = Integer(0, self.limits.token_id)
        try:
            return int(number.run_validation(item))
        except ValidationError as error:
            raise ValidationError({str(place): error.detail}) from None
