"""The grammar of structured output: what an answer must look like.

OpenAI's `response_format` and vLLM's names for more; each becomes a `Grammar`.
Whether a schema or an expression can be honoured is not judged here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from msgspec import Meta, Struct

from inference.core.errors import InvalidRequestError
from inference.core.requests import Grammar, GrammarKind
from inference.protocol import faults
from inference.protocol.declared import NO_BREAK, Bound, ErrorWords, Lax, Reads, Said
from inference.protocol.json_body import parse_object

if TYPE_CHECKING:
    from collections.abc import Callable

    from inference.core.limits import Limits

ANY_OBJECT = '{"type":"object"}'
_ONE_GRAMMAR = "a second grammar"

_Regex = Annotated[str, Bound(min_length=1, max_length="regex_chars")]
_Source = Annotated[str, Bound(min_length=1, max_length="grammar_chars")]
_Choice = Annotated[list[_Source], Bound(min_length=1, max_length="grammar_choices")]
_Schema = dict[str, Any] | str
_FALSE_AS_ABSENT = Lax(lambda value, _: None if value is False else value)


def schema_text(schema: dict[str, Any], *, path: str, limit: int) -> str:
    """Return a schema as JSON text of at most `limit` characters."""
    text = msgspec.json.encode(schema).decode()
    if len(text) > limit:
        raise faults.too_long(path, limit=limit, length=len(text), what="object")
    return text


class SchemaFormatBody(Struct):
    """A JSON schema and its name; it is enforced, whatever `strict` says."""

    name: Annotated[str, Meta(pattern="^[A-Za-z0-9_-]{1,64}$" + NO_BREAK)]
    schema: dict[str, Any]
    description: str | None = None
    strict: bool | None = None


class AnyTextBody(Struct, tag_field="type", tag="text"):
    """Any text."""


class AnyObjectBody(Struct, tag_field="type", tag="json_object"):
    """Any JSON object."""


class JSONSchemaBody(Struct, tag_field="type", tag="json_schema"):
    """What fits a schema."""

    json_schema: SchemaFormatBody


class StructuredOutputsBody(Struct):
    """vLLM's `structured_outputs`: exactly one kind of grammar."""

    json: Annotated[_Schema | None, _FALSE_AS_ABSENT] = None
    regex: Annotated[_Regex | None, _FALSE_AS_ABSENT] = None
    choice: Annotated[_Choice | None, _FALSE_AS_ABSENT] = None
    grammar: Annotated[_Source | None, _FALSE_AS_ABSENT] = None
    json_object: bool | None = None


def grammars_of(asked: msgspec.Struct, body: dict[str, Any]) -> list[Grammar]:
    """Return the grammars of a body, in the order they were sent."""
    names = [name for name in body if name in asked.__struct_fields__]
    values = [getattr(asked, name) for name in names]
    return [value for value in values if isinstance(value, Grammar)]


def to_grammar(sent: list[Grammar]) -> Grammar | None:
    """Return the one grammar of a body, which has those in the order they were sent.

    Where the model may call tools, it holds for an answer that is no call.

    Raises:
        InvalidRequestError: there are two.
    """
    if len(sent) > 1:
        first, second = (grammar.param.partition(".")[0] for grammar in sent[:2])
        why = f"cannot be combined with '{first}'; an answer has one grammar."
        raise faults.invalid(second, why)
    return sent[0] if sent else None


def _read_format(sent: Any, path: str, limits: Limits) -> Grammar | None:
    if isinstance(sent, JSONSchemaBody):
        path = f"{path}.json_schema.schema"
        return _read_schema(sent.json_schema.schema, path, limits)
    if isinstance(sent, AnyObjectBody):
        return Grammar(GrammarKind.JSON_SCHEMA, ANY_OBJECT, path)
    return None


def _read_kinds(sent: StructuredOutputsBody, path: str, limits: Limits) -> Grammar:
    """Read the one kind that is given."""
    kinds = {name: getattr(sent, name) for name in sent.__struct_fields__}
    given = [name for name, value in kinds.items() if value not in (None, False)]
    if len(given) != 1:
        names = ", ".join(f"'{name}'" for name in kinds)
        raise faults.invalid(path, f"expected exactly one of {names}.")
    (kind,) = given
    return _READERS[kind](kinds[kind], f"{path}.{kind}", limits)


def _read_schema(value: dict[str, Any] | str, path: str, limits: Limits) -> Grammar:
    if isinstance(value, str):
        try:
            value = parse_object(value.encode(), depth=limits.json_depth)
        except InvalidRequestError:
            why = "expected a JSON schema: an object, or a string that holds one."
            raise faults.invalid(path, why) from None
    text = schema_text(value, path=path, limit=limits.grammar_chars)
    return Grammar(GrammarKind.JSON_SCHEMA, text, path)


def _read_regex(source: str, path: str, _limits: Limits) -> Grammar:
    return Grammar(GrammarKind.REGEX, source, path)


def _read_lark(source: str, path: str, _limits: Limits) -> Grammar:
    return Grammar(GrammarKind.LARK, source, path)


def _read_choice(value: list[str], path: str, limits: Limits) -> Grammar:
    # A JSON string is a Lark string with the same escapes, but for DEL.
    literals = " | ".join(
        msgspec.json.encode(item).decode().replace("\x7f", "\\u007f") for item in value
    )
    source, limit = f"start: {literals}", limits.grammar_chars
    if len(source) > limit:
        raise faults.too_long(path, limit=limit, length=len(source), what="string")
    return Grammar(GrammarKind.LARK, source, path)


def _read_any_object(_value: bool, path: str, _limits: Limits) -> Grammar:
    return Grammar(GrammarKind.JSON_SCHEMA, ANY_OBJECT, path)


_READERS: dict[str, Callable[[Any, str, Limits], Grammar]] = {
    "json": _read_schema,
    "regex": _read_regex,
    "choice": _read_choice,
    "grammar": _read_lark,
    "json_object": _read_any_object,
}

ResponseFormat = Annotated[
    Grammar | None,
    Reads(
        Annotated[
            AnyTextBody | AnyObjectBody | JSONSchemaBody, ErrorWords("an object")
        ],
        _read_format,
    ),
    Said(
        "What the answer must look like. A schema is enforced as far as it can be, "
        "whatever `strict` says, and the answer checked for the rest. "
        "With tools the answer is a call, or fits.",
        absent="text",
        takes='`{{"type": "text"}}`, `{{"type": "json_object"}}` or `{{"type": '
        '"json_schema", "json_schema": {{"name": ..., "schema": {{...}}}}}}`, '
        "with `description` and `strict`",
        refuses=_ONE_GRAMMAR + "; a schema that nothing can fit",
    ),
]
StructuredOutputs = Annotated[
    Grammar | None,
    Reads(StructuredOutputsBody, _read_kinds),
    Said(
        "The same, with vLLM's further grammars.",
        takes="object with exactly one of "
        + ", ".join(f"`{kind}`" for kind in _READERS)
        + "; each as in `guided_...`",
        refuses=_ONE_GRAMMAR,
    ),
]
GuidedJSON = Annotated[
    Grammar | None,
    Reads(_Schema, _read_schema),
    Said(
        "The answer fits this JSON schema.",
        takes="object, or string that holds one",
        refuses=_ONE_GRAMMAR,
    ),
]
GuidedRegex = Annotated[
    Grammar | None,
    Reads(_Regex, _read_regex),
    Said("The answer matches this expression.", refuses=_ONE_GRAMMAR),
]
GuidedChoice = Annotated[
    Grammar | None,
    Reads(_Choice, _read_choice),
    Said(
        "The answer is one of these.",
        takes="array of 1 to {0.grammar_choices:,} strings",
        refuses=_ONE_GRAMMAR,
    ),
]
GuidedGrammar = Annotated[
    Grammar | None,
    Reads(_Source, _read_lark),
    Said(
        "The answer fits this grammar, Lark in llguidance's dialect.",
        refuses=_ONE_GRAMMAR,
    ),
]
