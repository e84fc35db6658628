"""What a field of a body says of itself: the marks that stand in its annotation.

A body is a msgspec struct. `Annotated` carries its bounds (`Bound`), what the
documents tell of it (`Said`), which odd forms are taken too (`Lax`) and what it
becomes (`Reads`). Bounds may name an entry of `Limits`, so a server's own types
are made once per `Limits`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache, reduce
from operator import or_
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Annotated, Any, Union, get_args, get_origin
from typing import get_type_hints as _hints

import msgspec

from inference.core.errors import InvalidRequestError
from inference.protocol import faults

if TYPE_CHECKING:
    from collections.abc import Callable

    from inference.core.limits import Limits


# Ends a pattern: a `$` alone lets a line break stand after it.
NO_BREAK = r"(?!\n)"


class Standing(StrEnum):
    """What becomes of a parameter that a client sends."""

    HONOURED = "honoured"
    NO_EFFECT = "no effect"
    IGNORED = "ignored"
    REFUSED = "refused"


@dataclass(frozen=True)
class Said:
    """What the documents tell of a parameter.

    `text` says what it does, `absent` what holds without it, `refuses` what is
    refused beside another type or a value out of range, `takes` which values it
    takes where the type alone does not tell (`{0.stops}`: an entry of `Limits`).
    """

    text: str
    absent: str = ""
    refuses: str = ""
    takes: str = ""
    standing: Standing = Standing.HONOURED

    @property
    def description(self) -> str:
        """All of it in sentences, for the OpenAPI document."""
        parts = [self.text.rstrip(".") + "."]
        if self.standing is not Standing.HONOURED and "effect" not in self.text:
            parts.append(f"Standing: {self.standing.value}.")
        if self.absent:
            parts.append(f"Without it: {self.absent}.")
        if self.refuses:
            parts.append(f"Refused: {self.refuses}.")
        return " ".join(parts)


class Bound:
    """msgspec's bounds (`ge=0`, `max_length=5`); a string names an entry of `Limits`."""

    def __init__(self, **bounds: Any) -> None:
        self.bounds = bounds

    def meta(self, limits: Limits) -> msgspec.Meta:
        """Return the bounds under `limits`."""
        return msgspec.Meta(
            **{
                name: getattr(limits, bound) if isinstance(bound, str) else bound
                for name, bound in self.bounds.items()
            }
        )


@dataclass(frozen=True)
class Lax:
    """Takes odd forms, as `says`: `turn` is asked about a value that does not fit.

    It gets the value and its path, and returns one that fits, the same, or raises.
    """

    turn: Callable[[Any, str], Any]
    says: str = ""


@dataclass(frozen=True)
class Leaves:
    """Leaves out parts that mean nothing here; asked about every value, first.

    It gets the value, its path, and a list for the names of what it left out.
    """

    turn: Callable[[Any, str, list[str]], Any]


@dataclass(frozen=True)
class Reads:
    """The field is sent as `wire`; `read` turns that into what the body holds.

    It gets the value, its path and the limits.
    """

    wire: Any
    read: Callable[[Any, str, Limits], Any]


@dataclass(frozen=True)
class Unsupported:
    """Names that OpenAI knows at this place; `why` may repeat the one sent.

    `whole`: the object that is named so is at fault, not its name.
    """

    why: str
    names: tuple[str, ...]
    whole: bool = False


@dataclass(frozen=True)
class ErrorWords:
    """How errors name a value (`what`), its keys, and too `many` of them."""

    what: str = ""
    key: str = "{}"
    many: str = "keys"
    many_code: str = InvalidRequestError.code


@dataclass(frozen=True, kw_only=True)
class Refused(Said):
    """A parameter OpenAI knows and this server does not honour; annotates `None`.

    What says "as if it were absent" is `passing`, as JSON. `text` says what to do
    instead.
    """

    kinds: tuple[type, ...]
    passing: tuple[str, ...] = ()
    standing: Standing = Standing.REFUSED

    def turn(self, value: Any, path: str) -> None:
        """Take what passes as absent, refuse the rest."""
        if type(value) not in self.kinds:
            what = " or ".join(map(faults.named, self.kinds))
            raise faults.wrong_type(path, what, value)
        if value not in map(msgspec.json.decode, self.passing):
            instead = self.text.replace("`", "'")
            or_default = f" or send {self.passing[0]}" if self.passing else ""
            why = f"is not supported. {instead} Leave it out{or_default}."
            raise faults.unsupported(path, why)


@dataclass(frozen=True, kw_only=True)
class Ignored(Said):
    """A parameter that means nothing here, whatever is sent; annotates `Any`.

    It is listed by name, but for what holds here anyway: `passing`, as JSON.
    """

    passing: tuple[str, ...] = ()
    standing: Standing = Standing.IGNORED

    def names(self, value: Any) -> bool:
        """Whether a value that was sent is to be listed."""
        return value not in map(msgspec.json.decode, self.passing)


def unwrapped(kind: Any) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
    """Return the types a value may have, but for null, and the marks upon them."""
    options, marks = (kind,), ()
    while len(options) == 1:
        (only,) = options
        if get_origin(only) is Annotated:
            options, marks = (only.__origin__,), marks + only.__metadata__
        elif get_origin(only) in (Union, UnionType):
            options = tuple(each for each in get_args(only) if each is not NoneType)
        else:
            break
    return options, marks


def said_of(kind: Any) -> list[Said]:
    """Return what the documents tell of a field, if anything."""
    return [mark for mark in unwrapped(kind)[1] if isinstance(mark, Said)]


def takes_null(kind: Any) -> bool:
    """Whether null is among the values of a type."""
    while get_origin(kind) is Annotated:
        kind = kind.__origin__
    return kind in (None, NoneType, Any) or NoneType in get_args(kind)


def is_struct(kind: Any) -> bool:
    """Whether a type is that of an object with fields."""
    return isinstance(kind, type) and issubclass(kind, msgspec.Struct)


def is_array(kind: Any) -> bool:
    """Whether a type is that of an array of others."""
    return get_origin(kind) in (list, tuple)


@lru_cache(maxsize=512)
def holder_of(kind: Any) -> type[Any]:
    """Return a struct whose one field, `value`, is of a bounded type.

    msgspec keeps what it found out about a struct, not about other types.
    """
    return msgspec.defstruct("Holder", [("value", kind)])


@lru_cache(maxsize=512)
def hints(struct: type[msgspec.Struct]) -> dict[str, Any]:
    """Return the annotations of a struct's fields, in their order."""
    found = _hints(struct, include_extras=True)
    return {name: found[name] for name in struct.__struct_fields__}


def bounded(kind: Any, limits: Limits, *, strict: bool) -> Any:
    """Return the type as it is sent, with every bound looked up.

    `strict`: no unknown names.
    """
    options, marks = unwrapped(kind)
    for mark in marks:
        if isinstance(mark, Reads):
            options, inner = unwrapped(mark.wire)
            marks = (*inner, *marks)
    found = reduce(or_, (_option(each, limits, strict) for each in options))
    metas = [mark.meta(limits) for mark in marks if isinstance(mark, Bound)]
    kept = [mark for mark in marks if not isinstance(mark, Bound | Reads)]
    for mark in (*metas, *kept):
        found = Annotated[found, mark]
    return found | None if takes_null(kind) else found


def _option(kind: Any, limits: Limits, strict: bool) -> Any:
    if is_struct(kind):
        return bounded_struct(kind, limits, strict)
    if get_origin(kind) is Annotated:  # One of several, with bounds of its own.
        return bounded(kind, limits, strict=strict)
    if get_origin(kind) in (list, tuple, dict):
        inner = (
            each if each is ... else bounded(each, limits, strict=strict)
            for each in get_args(kind)
        )
        return get_origin(kind)[tuple(inner)]
    return kind


@lru_cache(maxsize=512)
def bounded_struct(
    struct: type[msgspec.Struct], limits: Limits, strict: bool
) -> type[msgspec.Struct]:
    """Return a struct whose fields are bounded and described.

    A field that need not be there may be null. `strict`: no unknown names.
    """
    kinds, fields = hints(struct), []
    for each in msgspec.structs.fields(struct):
        kind = bounded(kinds[each.name], limits, strict=strict)
        if not each.required:
            kind = kind | None
        for said in said_of(kinds[each.name]):
            kind = Annotated[kind, msgspec.Meta(description=said.description)]
        fields.append((each.name, kind) if each.required else (each.name, kind, None))
    return msgspec.defstruct(
        struct.__name__.removesuffix("Body"),
        fields,
        bases=(struct,),
        namespace={"__doc__": struct.__doc__},
        kw_only=True,
        forbid_unknown_fields=strict,
    )
