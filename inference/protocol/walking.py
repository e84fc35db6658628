"""What does not fit its type, looked at piece by piece: owns the search for faults.

msgspec reads what is well formed. Only where it refuses does this walk along the
declared types: to the first fault, or to forms that a `Lax` field takes as well.
Types are bounded ones.
"""

from __future__ import annotations

import re
from functools import lru_cache
from types import NoneType
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args, get_origin

import msgspec

from inference.protocol import faults
from inference.protocol.declared import (
    NO_BREAK,
    ErrorWords,
    Lax,
    Refused,
    Said,
    Unsupported,
    hints,
    holder_of,
    is_array,
    is_struct,
    takes_null,
    unwrapped,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

_TYPES: dict[Any, tuple[type, ...]] = {
    Literal: (str,),
    float: (int, float),
    list: (list,),
    tuple: (list,),
    dict: (dict,),
}


def walked(kind: Any, value: Any, path: str, *, is_field: bool = False) -> Any:
    """Return `value` as far as it fits `kind`, odd forms turned into plain ones.

    Raises:
        InvalidRequestError: the first fault on the way.
    """
    options, marks = unwrapped(kind)
    for mark in marks:
        if isinstance(mark, Lax | Refused):
            value = mark.turn(value, path)
    if value is None and takes_null(kind):
        return None
    if value is None and is_field:
        raise faults.missing(path)
    fitting = [each for each in options if type(value) in _json_types(each)]
    if not fitting and Any not in options:
        raise faults.wrong_type(path, _expected(options, marks), value)
    if len(fitting) == 1 < len(options):
        return walked(fitting[0], value, path)
    return _walked_as(fitting, marks, value, path)


def _walked_as(
    options: Sequence[Any], marks: Sequence[Any], value: Any, path: str
) -> Any:
    if options and is_struct(options[0]):
        return _walked_object(options, marks, value, path)
    kind = options[0] if options else Any
    for mark in marks:
        if isinstance(mark, msgspec.Meta):
            _check_bounds(mark, kind, marks, value, path)
    if get_origin(kind) is Literal:
        _check_choice(value, get_args(kind), marks, path)
    elif is_array(kind):
        return _walked_items(get_args(kind)[0], value, path)
    elif get_origin(kind) is dict:
        return _walked_pairs(kind, marks, value, path)
    return value


def _walked_items(kind: Any, value: list[Any], path: str) -> list[Any]:
    holder = holder_of(kind)
    return [
        each if _fits(each, holder) else walked(kind, each, f"{path}[{i}]")
        for i, each in enumerate(value)
    ]


def _fits(value: Any, holder: type[Any]) -> bool:
    """Whether there is nothing in a value to be walked to."""
    try:
        msgspec.convert({"value": value}, holder)
    except msgspec.ValidationError:
        return False
    return True


@lru_cache(maxsize=512)
def _fields(struct: type[msgspec.Struct]) -> list[tuple[str, Any, type[Any]]]:
    return [(name, kind, holder_of(kind)) for name, kind in hints(struct).items()]


def _walked_object(
    structs: Sequence[Any], marks: Sequence[Any], value: dict[str, Any], path: str
) -> dict[str, Any]:
    tag = structs[0].__struct_config__.tag_field
    if tag is not None:
        marks = [mark for mark in marks if isinstance(mark, Unsupported)]
        where = f"{path}.{tag}"
        names = [each.__struct_config__.tag for each in structs]
        _check_choice(
            walked(str, value.get(tag), where, is_field=True), names, marks, where
        )
    turned = {
        name: walked(kind, value.get(name), f"{path}.{name}", is_field=True)
        for name, kind, holder in _fields(_chosen(structs, value))
        if not _fits(value.get(name), holder)
    }
    return value | turned


def _walked_pairs(
    kind: Any, marks: Sequence[Any], value: dict[str, Any], path: str
) -> dict[str, Any]:
    keys, items = get_args(kind)
    words = _words(marks)
    longest = next(
        (m.max_length for m in unwrapped(keys)[1] if isinstance(m, msgspec.Meta)), None
    )
    pairs = {}
    for key, item in value.items():
        where = f"{path}.{words.key.format(faults.shown(key))}"
        if longest is not None and len(key) > longest:
            why = f"key too long. Expected at most {longest}."
            raise faults.invalid(where, why)
        pairs[key] = walked(items, item, where)
    return pairs


def _check_choice(
    value: str, choices: Sequence[str], marks: Sequence[Any], path: str
) -> None:
    for mark in marks:
        if isinstance(mark, Unsupported) and value in mark.names:
            where = path.rpartition(".")[0] if mark.whole else path
            raise faults.unsupported(where, mark.why.format(value))
    if value not in choices:
        if any(isinstance(mark, Said) for mark in marks):
            raise faults.none_of(path, value, choices)
        raise faults.wrong_value(path, value, choices)


def _check_bounds(
    meta: msgspec.Meta, kind: Any, marks: Sequence[Any], value: Any, path: str
) -> None:
    if isinstance(value, int | float):
        _check_range(meta, "integer" if kind is int else "decimal", value, path)
        return
    if meta.min_length and not value:
        raise faults.empty(path, what=_noun(value))
    most = meta.max_length
    if most is not None and len(value) > most:
        if isinstance(value, dict):
            words = _words(marks)
            many, code = words.many, words.many_code
            raise faults.too_many(path, many, limit=most, length=len(value), code=code)
        raise faults.too_long(path, limit=most, length=len(value), what=_noun(value))
    if meta.pattern is not None and not re.search(meta.pattern, value):
        raise faults.mismatch(path, meta.pattern.removesuffix(NO_BREAK))


def _check_range(meta: msgspec.Meta, noun: str, value: float, path: str) -> None:
    if meta.ge is not None and value < meta.ge:
        raise faults.below(path, noun, f">= {meta.ge}", value)
    if meta.gt is not None and value <= meta.gt:
        raise faults.below(path, noun, f"> {meta.gt}", value)
    if meta.le is not None and value > meta.le:
        raise faults.above(path, noun, f"<= {meta.le}", value)


def _chosen(structs: Sequence[Any], value: dict[str, Any]) -> Any:
    """The one of some structs that a value names, which is among them."""
    if len(structs) == 1:
        return structs[0]
    tag = structs[0].__struct_config__.tag_field
    return next(each for each in structs if each.__struct_config__.tag == value[tag])


def _json_types(kind: Any) -> tuple[type, ...]:
    if get_origin(kind) is Annotated:
        kind = kind.__origin__
    if is_struct(kind):
        return (dict,)
    return _TYPES.get(get_origin(kind) or kind, (kind,))


def _expected(options: Sequence[Any], marks: Sequence[Any]) -> str:
    if what := _words(marks).what:
        return what
    return " or ".join(dict.fromkeys(map(_name, options))) or faults.named(NoneType)


def _name(kind: Any) -> str:
    (plain, *_), marks = unwrapped(kind)
    if what := _words(marks).what:
        return what
    if is_array(plain):
        of = get_args(plain)[0]
        items = _name(of).partition(" ")[2]
        return "an array" if of is Any else f"an array of {items}s"
    if plain is float:
        return "a decimal"
    return faults.named(_json_types(plain)[0])


def _words(marks: Sequence[Any]) -> ErrorWords:
    return next((mark for mark in marks if isinstance(mark, ErrorWords)), ErrorWords())


def _noun(value: Any) -> str:
    return faults.type_name(value).partition(" ")[2]
