"""What the tools of a request declare, and calls read against it.

The rules are in `docs/families.md`: a declared string is the text as written,
everything else is JSON of its type; what does not fit is no call.
"""

from __future__ import annotations

import ast
import json
import re
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from inference.dialects.schema_types import (
    STRING,
    Types,
    misfit,
    resolved,
    to_value,
    types_in,
)
from inference.dialects.source import NotWrittenError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from inference.core.requests import Tool

_TRAILING_COMMA = re.compile(r",(\s*[}\]])")
_FENCE = re.compile(r"^\s*```(?:json)?\s*(.*?)\s*(?:```\s*)?$", re.DOTALL)


@dataclass(frozen=True)
class Signature:
    """One tool's parameters, as far as reading needs them."""

    name: str
    schema: dict[str, Any]

    @cached_property
    def _object(self) -> dict[str, Any]:
        return resolved(self.schema, self.schema)

    @cached_property
    def required(self) -> frozenset[str]:
        """The parameters that a call has to give."""
        names = self._object.get("required")
        return frozenset(names if isinstance(names, list) else ())

    def declared(self, parameter: str) -> Any:
        """Return the schema of a parameter; an empty one where none is declared."""
        properties = self._object.get("properties")
        if not isinstance(properties, dict):
            return {}
        return properties.get(parameter, {})

    def types(self, parameter: str) -> Types | None:
        """Return the types that a parameter may have; `None`: it is not declared."""
        return types_in(self.declared(parameter), self.schema)

    def is_text(self, parameter: str) -> bool:
        """Whether a parameter is declared as a string and nothing else."""
        return self.types(parameter) == STRING

    def value(self, parameter: str, text: str) -> Any:
        """Return the value that a text stands for, where a family writes no JSON.

        Raises:
            NotWrittenError: the text is no value of the declared type.
        """
        try:
            return to_value(self.declared(parameter), text, self.schema)
        except ValueError as error:
            raise NotWrittenError(f"'{parameter}' {error}") from error

    def fitted(self, written: str) -> tuple[str, tuple[str, ...]]:
        """Return arguments as JSON text that fits, and what had to be mended.

        Raises:
            NotWrittenError: they are no object, or do not fit what is declared.
        """
        arguments, slips = _parsed(written)
        changed = dict(arguments)
        for parameter, value in arguments.items():
            self._settle(changed, parameter, value, slips)
        missing = sorted(self.required - changed.keys())
        if missing:
            raise NotWrittenError(f"'{missing[0]}' is missing")
        for parameter, value in changed.items():
            if fault := misfit(self.declared(parameter), value, self.schema):
                raise NotWrittenError(f"'{parameter}' {fault}")
        if slips or changed != arguments:
            written = dumped(changed)
        return written.strip(), tuple(slips)

    def _settle(
        self, changed: dict[str, Any], parameter: str, value: Any, slips: list[str]
    ) -> None:
        """Give a value of another type the declared one where that loses nothing."""
        types = types_in(self.declared(parameter), self.schema)
        if types is None or not misfit(self.declared(parameter), value, self.schema):
            return
        if value is None and parameter not in self.required:
            del changed[parameter]
            slips.append(f"'{parameter}' was null and left out")
        elif isinstance(value, str):
            changed[parameter] = self.value(parameter, value)
            slips.append(f"'{parameter}' was written as a string")
        elif "string" in types and isinstance(value, (bool, int)):
            changed[parameter] = json.dumps(value)
            slips.append(f"'{parameter}' was not written as a string")


class Signatures:
    """The functions that a call may name."""

    def __init__(self, tools: Sequence[Tool]) -> None:
        self._by_name = {
            tool.name: Signature(tool.name, tool.parameters) for tool in tools
        }

    @property
    def names(self) -> tuple[str, ...]:
        """The functions' names."""
        return tuple(self._by_name)

    def of(self, name: str) -> Signature:
        """Return what is declared for a function.

        Raises:
            NotWrittenError: the request has none of this name.
        """
        known = self._by_name.get(name)
        if known is None:
            raise NotWrittenError("it names no function of the request")
        return known


def dumped(value: Any) -> str:
    """Return a value as JSON text.

    Raises:
        NotWrittenError: it is no JSON, or holds half a character, which no frame
            and no body can carry.
    """
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False)
        text.encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise NotWrittenError("its arguments are no JSON") from error
    return text


def loosely_parsed(text: str) -> tuple[Any, list[str]]:
    """Return what a text means as JSON, and which slips it has.

    Taken besides JSON: a code fence around it, trailing commas, Python's literals.

    Raises:
        NotWrittenError: it cannot be read so either.
    """
    slips: list[str] = []
    if (fenced := _FENCE.match(text)) and "```" in text:
        text = fenced[1]
        slips.append("a code fence was taken off")
    for mended, slip in (
        (text, ""),
        (_TRAILING_COMMA.sub(r"\1", text), "a trailing comma was left out"),
    ):
        try:
            found = strict(mended)
        except ValueError:
            continue
        return found, [*slips, slip] if slip else slips
    try:
        found = ast.literal_eval(text.strip())
        json.dumps(found, allow_nan=False)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError) as error:
        raise NotWrittenError("it could not be parsed") from error
    return found, [*slips, "Python's literals were read"]


def strict(text: str) -> Any:
    """Return what JSON text means, NaN and infinities refused."""
    try:
        return json.loads(text, parse_constant=_refuse_constant)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def _parsed(written: str) -> tuple[dict[str, Any], list[str]]:
    found, slips = loosely_parsed(written)
    if isinstance(found, str):
        # Some models write arguments as a string of JSON.
        found, slips = loosely_parsed(found)
        slips.append("arguments were written as a string")
    if found is None:
        found = {}
    if not isinstance(found, dict) or not all(isinstance(key, str) for key in found):
        raise NotWrittenError("its arguments are no object")
    dumped(found)
    return found, slips


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")
