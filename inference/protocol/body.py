"""How a body is read: each field by its own declaration, in the order it was sent."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from inference.protocol import faults
from inference.protocol.declared import (
    Ignored,
    Leaves,
    Reads,
    bounded,
    hints,
    holder_of,
    said_of,
    unwrapped,
)
from inference.protocol.unknown import unknown_names
from inference.protocol.walking import walked

if TYPE_CHECKING:
    from collections.abc import Mapping

    from inference.core.limits import Limits

T = TypeVar("T", bound=msgspec.Struct)


class BodyField:
    """A field of a body under some limits; it keeps no state between requests."""

    def __init__(
        self, field: msgspec.structs.FieldInfo, declared: Any, limits: Limits
    ) -> None:
        _, marks = unwrapped(declared)
        self.name = field.name
        self.is_required = field.required
        (self.said,) = said_of(declared)
        self.kind = bounded(declared, limits, strict=False)
        self._limits = limits
        self._leaves = [mark for mark in marks if isinstance(mark, Leaves)]
        self._read = next((m.read for m in marks if isinstance(m, Reads)), None)
        self._unknown = unknown_names(self.kind)
        self._exact = holder_of(bounded(declared, limits, strict=True))
        self._lenient = holder_of(self.kind)

    def read(self, value: Any, ignored: list[str]) -> Any:
        """Return what the body holds for `value`; add what means nothing in it.

        Raises:
            InvalidRequestError: the first fault in it.
        """
        if isinstance(self.said, Ignored):
            ignored += [self.name] if self.said.names(value) else []
            return None
        for mark in self._leaves:
            value = mark.turn(value, self.name, ignored)
        found = self._converted(value, ignored)
        if self._read is None or found is None:
            return found
        return self._read(found, self.name, self._limits)

    def _converted(self, value: Any, ignored: list[str]) -> Any:
        sent = {"value": value}
        try:
            return msgspec.convert(sent, self._exact).value
        except msgspec.ValidationError:
            pass
        try:
            found = msgspec.convert(sent, self._lenient)
        except msgspec.ValidationError:
            sent = {"value": walked(self.kind, value, self.name)}
            found = msgspec.convert(sent, self._lenient)
        ignored += self._unknown(sent["value"], self.name)
        return found.value


@lru_cache(maxsize=64)
def parameters_of(
    body: type[msgspec.Struct], limits: Limits
) -> Mapping[str, BodyField]:
    """Return a body's fields by name: what is required, then as they are declared."""
    declared = hints(body)
    fields = [
        BodyField(each, declared[each.name], limits)
        for each in msgspec.structs.fields(body)
    ]
    return {each.name: each for each in sorted(fields, key=lambda f: not f.is_required)}


def read_body(
    body: type[T], sent: dict[str, Any], *, limits: Limits
) -> tuple[T, list[str]]:
    """Return what was sent as a `body`, and the names in it that mean nothing.

    `null` is the same as leaving a field out.

    Raises:
        InvalidRequestError: the first fault, in the order sent.
    """
    known = parameters_of(body, limits)
    values: dict[str, Any] = {}
    ignored: list[str] = []
    for name, value in sent.items():
        if value is None:
            continue
        if name not in known:
            ignored.append(name)
        else:
            values[name] = known[name].read(value, ignored)
    for name, field in known.items():
        if field.is_required and values.get(name) is None:
            raise faults.missing(name)
    return body(**{name: v for name, v in values.items() if v is not None}), ignored
