"""The grammar of a response's text: what it must look like."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from msgspec import Meta, Struct

from inference.core.requests import Grammar, GrammarKind
from inference.protocol.declared import NO_BREAK, Bound, Reads, Said
from inference.protocol.structure import ANY_OBJECT, schema_text

if TYPE_CHECKING:
    from inference.core.limits import Limits


class PlainFormatBody(Struct, tag_field="type", tag="text"):
    """Any text."""


class ObjectFormatBody(Struct, tag_field="type", tag="json_object"):
    """Any JSON object."""


class SchemaTextFormatBody(Struct, tag_field="type", tag="json_schema"):
    """What fits a schema; it is enforced, whatever `strict` says."""

    name: Annotated[str, Meta(pattern="^[A-Za-z0-9_-]{1,64}$" + NO_BREAK)]
    schema: dict[str, Any]
    description: str | None = None
    strict: bool | None = None


class GrammarFormatBody(Struct, tag_field="type", tag="grammar"):
    """What fits a Lark grammar, in llguidance's dialect."""

    grammar: Annotated[str, Bound(min_length=1, max_length="grammar_chars")]


class TextConfigBody(Struct):
    """What the answer's text is to be like."""

    format: (
        PlainFormatBody
        | ObjectFormatBody
        | SchemaTextFormatBody
        | GrammarFormatBody
        | None
    ) = None
    verbosity: Any = None


class TextConfig(Struct, frozen=True):
    """What was read of `text`; `sent` is the format as an answer tells of it."""

    grammar: Grammar | None = None
    sent: dict[str, Any] = msgspec.field(default_factory=lambda: {"type": "text"})
    verbosity: Any = None


def _to_text(sent: TextConfigBody, path: str, limits: Limits) -> TextConfig:
    form, path = sent.format, f"{path}.format"
    if form is None:
        return TextConfig(verbosity=sent.verbosity)
    told: dict[str, Any] = msgspec.to_builtins(form)
    grammar = None
    match form:
        case SchemaTextFormatBody():
            path = f"{path}.schema"
            source = schema_text(form.schema, path=path, limit=limits.grammar_chars)
            grammar = Grammar(GrammarKind.JSON_SCHEMA, source, path)
            # Open Responses knows no other value here than null.
            told |= {"schema": None, "strict": form.strict is not False}
        case ObjectFormatBody():
            grammar = Grammar(GrammarKind.JSON_SCHEMA, ANY_OBJECT, path)
        case GrammarFormatBody():
            grammar = Grammar(GrammarKind.LARK, form.grammar, f"{path}.grammar")
    return TextConfig(grammar, told, sent.verbosity)


ResponseText = Annotated[
    TextConfig,
    Reads(TextConfigBody, _to_text),
    Said(
        "What the answer must look like. With tools the answer is a call, or fits. "
        "`verbosity` is ignored.",
        absent="text",
        takes='`{{"format": ...}}` of type `text`, `json_object`, `json_schema` '
        "(with `name` and `schema`) or `grammar` (with a Lark `grammar`)",
        refuses="a schema that nothing can fit",
    ),
]
