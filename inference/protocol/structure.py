"""The grammar of structured output: what an answer must look like.

OpenAI's `response_format` and vLLM's names for more; each becomes a `Grammar`.
Whether a schema or an expression can be honoured is not judged here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from inference.core.errors import InvalidRequestError
from inference.core.requests import Grammar, GrammarKind
from inference.protocol import faults, reading
from inference.protocol.fields import StrictField
from inference.protocol.json_body import parse_object

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from inference.core.limits import Limits

ANY_OBJECT = '{"type":"object"}'
_FORMATS = ("text", "json_object", "json_schema")
_FORMAT_KEYS = {"type", "json_schema"}
_SCHEMA_KEYS = {"name", "description", "strict", "schema"}


class ResponseFormat(StrictField):
    """OpenAI's `response_format`; text becomes `None`."""

    types = (dict,)
    what = "an object"

    def to_value(self, data: Any) -> Grammar | None:
        """Read the format by its type."""
        path = str(self.field_name)
        kind = reading.tagged(data, path=path)
        if kind == "text":
            return None
        if kind == "json_object":
            return Grammar(GrammarKind.JSON_SCHEMA, ANY_OBJECT, path)
        if kind != "json_schema":
            raise faults.wrong_value(f"{path}.type", kind, _FORMATS)
        return self._to_grammar(data, path)

    def _to_grammar(self, data: dict[str, Any], path: str) -> Grammar:
        within = reading.required(data, "json_schema", dict, path=path)
        path = f"{path}.json_schema"
        reading.format_name(within, path=path)
        reading.optional(within, "description", str, path=path)
        reading.optional(within, "strict", bool, path=path)
        schema = reading.required(within, "schema", dict, path=path)
        return to_schema_grammar(schema, f"{path}.schema", self.limits)

    def type_and_range(self) -> str:
        """Say the three formats."""
        return (
            '`{"type": "text"}`, `{"type": "json_object"}` or `{"type": "json_schema", '
            '"json_schema": {"name": ..., "schema": {...}}}`, '
            "with `description` and `strict`"
        )

    def unknown_keys(self, data: Any) -> Iterable[str]:
        """Look into the schema's frame, not into the schema."""
        yield from reading.others(data, _FORMAT_KEYS)
        yield from reading.others(data.get("json_schema"), _SCHEMA_KEYS, "json_schema")


class StructuredOutputs(StrictField):
    """vLLM's `structured_outputs`: an object with exactly one kind of grammar."""

    types = (dict,)
    what = "an object"

    def to_value(self, data: Any) -> Grammar:
        """Read the one kind that is given."""
        path = str(self.field_name)
        given = [
            k for k in _READERS if data.get(k) is not None and data[k] is not False
        ]
        if len(given) != 1:
            kinds = ", ".join(f"'{kind}'" for kind in _READERS)
            raise faults.invalid(path, f"expected exactly one of {kinds}.")
        (kind,) = given
        return _READERS[kind](data[kind], f"{path}.{kind}", self.limits)

    def type_and_range(self) -> str:
        """Name the kinds."""
        kinds = ", ".join(f"`{kind}`" for kind in _READERS)
        return f"object with exactly one of {kinds}; each as in `guided_...`"

    def unknown_keys(self, data: Any) -> Iterable[str]:
        """Name what is no kind of grammar."""
        return reading.others(data, _READERS.keys())


class Guided(StrictField):
    """vLLM's older `guided_...` fields: one `kind` of grammar each."""

    types = (dict, str, list)

    def __init__(self, kind: str, **said: Any) -> None:
        super().__init__(**said)
        self.kind = kind

    def to_internal_value(self, data: Any) -> Grammar:
        """Read it by its kind."""
        return _READERS[self.kind](data, str(self.field_name), self.limits)

    def type_and_range(self) -> str:
        """Say what the kind takes."""
        limits = self.limits
        ranges = {
            "json": "object, or string that holds one",
            "regex": f"string, 1 to {limits.regex_chars:,} characters",
            "choice": f"array of 1 to {limits.grammar_choices:,} strings",
            "grammar": f"string, 1 to {limits.grammar_chars:,} characters",
        }
        return ranges[self.kind]


def to_grammar(values: dict[str, Any]) -> Grammar | None:
    """Return the one grammar among validated values, in the order they were sent.

    Where the model may call tools, it holds for an answer that is no call.

    Raises:
        InvalidRequestError: there are two.
    """
    found = [
        (name, value) for name, value in values.items() if isinstance(value, Grammar)
    ]
    if not found:
        return None
    if len(found) > 1:
        why = f"cannot be combined with '{found[0][0]}'; an answer has one grammar."
        raise faults.invalid(found[1][0], why)
    return found[0][1]


def to_schema_grammar(schema: dict[str, Any], path: str, limits: Limits) -> Grammar:
    """Return the grammar of a JSON schema."""
    text = reading.schema_text(schema, path=path, limit=limits.grammar_chars)
    return Grammar(GrammarKind.JSON_SCHEMA, text, path)


def _read_schema(value: Any, path: str, limits: Limits) -> Grammar:
    if type(value) is str:
        try:
            value = parse_object(value.encode(), depth=limits.json_depth)
        except InvalidRequestError:
            why = "expected a JSON schema: an object, or a string that holds one."
            raise faults.invalid(path, why) from None
    if type(value) is not dict:
        raise faults.wrong_type(path, "an object or a string", value)
    return to_schema_grammar(value, path, limits)


def _read_regex(value: Any, path: str, limits: Limits) -> Grammar:
    source = _read_text(value, path, limits.regex_chars)
    return Grammar(GrammarKind.REGEX, source, path)


def _read_lark(value: Any, path: str, limits: Limits) -> Grammar:
    source = _read_text(value, path, limits.grammar_chars)
    return Grammar(GrammarKind.LARK, source, path)


def _read_choice(value: Any, path: str, limits: Limits) -> Grammar:
    if type(value) is not list:
        raise faults.wrong_type(path, "an array of strings", value)
    if not value:
        raise faults.empty(path, what="array")
    if len(value) > limits.grammar_choices:
        raise faults.too_long(
            path, limit=limits.grammar_choices, length=len(value), what="array"
        )
    for i, item in enumerate(value):
        _read_text(item, f"{path}[{i}]", limits.grammar_chars)
    # A JSON string is a Lark string with the same escapes, but for DEL.
    literals = " | ".join(
        msgspec.json.encode(item).decode().replace("\x7f", "\\u007f") for item in value
    )
    source = _read_text(f"start: {literals}", path, limits.grammar_chars)
    return Grammar(GrammarKind.LARK, source, path)


def _read_any_object(value: Any, path: str, limits: Limits) -> Grammar:
    del limits
    if type(value) is not bool:
        raise faults.wrong_type(path, "a boolean", value)
    return Grammar(GrammarKind.JSON_SCHEMA, ANY_OBJECT, path)


def _read_text(value: Any, path: str, limit: int) -> str:
    if type(value) is not str:
        raise faults.wrong_type(path, "a string", value)
    if not value:
        raise faults.empty(path, what="string")
    if len(value) > limit:
        raise faults.too_long(path, limit=limit, length=len(value), what="string")
    return value


_READERS: dict[str, Callable[[Any, str, Limits], Grammar]] = {
    "json": _read_schema,
    "regex": _read_regex,
    "choice": _read_choice,
    "grammar": _read_lark,
    "json_object": _read_any_object,
}
