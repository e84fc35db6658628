"""How a body is read: the serializer that validates what was sent, and its 400."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail, ValidationError

from inference.core.errors import InvalidRequestError, UnsupportedParameterError
from inference.protocol import faults
from inference.protocol.fields import UNSUPPORTED, Standing

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


class BodySerializer(serializers.Serializer[Any]):
    """Validates what was sent, in the order it was sent; null means absent.

    Only the keys that are there cost time, so one instance serves all requests:
    `run_validation` keeps no state. Unknown keys are left to the caller.
    """

    standing = Standing.HONOURED

    def __init__(self, *, absent: str = "", refuses: str = "", **options: Any) -> None:
        super().__init__(required=False, **options)
        self.absent = absent
        self.refuses = refuses

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

    def unknown_keys(self, data: Any) -> Iterable[str]:
        """Name the keys of a validated object that have no line, as paths."""
        fields = self._bound_fields
        for name, value in data.items():
            if value is None:
                continue
            if name not in fields:
                yield name
                continue
            for key in fields[name].unknown_keys(value):
                yield f"{name}{key}" if key.startswith("[") else f"{name}.{key}"

    def type_and_range(self) -> str:
        """Say which values it takes."""
        return "object"

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
