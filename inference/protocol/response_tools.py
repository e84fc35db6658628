"""The grammar of a response's tools: what a model may call."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec
from msgspec import Struct

from inference.core.requests import Tool
from inference.protocol import faults
from inference.protocol.calls import FunctionName, plain_name
from inference.protocol.declared import Bound, ErrorWords, Leaves, Reads, Said
from inference.protocol.parts import Text
from inference.protocol.structure import schema_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inference.core.limits import Limits

# The one argument by which a model knows the text that a custom tool takes.
INPUT = "input"
_TYPES = ("function", "custom", "namespace")


class TextInputBody(Struct, tag_field="type", tag="text"):
    """Any text."""


class GrammarInputBody(Struct, tag_field="type", tag="grammar"):
    """A text that fits a grammar."""

    syntax: Literal["lark", "regex"]
    definition: Annotated[str, Bound(min_length=1, max_length="grammar_chars")]


class ResponseToolBody(Struct, tag_field="type", kw_only=True):
    """What every tool has."""

    name: FunctionName
    description: Text | None = None


class FunctionToolBody(ResponseToolBody, tag="function", kw_only=True):
    """A function; `parameters` is a JSON schema of an object, held whatever `strict`."""

    parameters: dict[str, Any] | None = None
    strict: bool | None = None
    defer_loading: Any = None
    output_schema: Any = None
    allowed_callers: Any = None


class CustomToolBody(ResponseToolBody, tag="custom", kw_only=True):
    """A tool that takes a text."""

    format: TextInputBody | GrammarInputBody | None = None
    defer_loading: Any = None
    allowed_callers: Any = None


class IgnoredToolBody(Struct, tag_field="type", tag="ignored"):
    """A tool of a type that means nothing here; it stands in its place."""


class NamespaceToolBody(ResponseToolBody, tag="namespace", kw_only=True):
    """Tools that belong together."""

    tools: Annotated[
        list[FunctionToolBody | CustomToolBody | IgnoredToolBody],
        Bound(max_length="tools"),
    ]


class ToolShape(Struct, frozen=True):
    """How a client knows a tool, beside the one name that a model knows."""

    name: str
    namespace: str | None = None
    is_custom: bool = False


class ResponseTools(Struct, frozen=True):
    """The tools that can be called, by the model's names, and as they were sent."""

    tools: tuple[Tool, ...] = ()
    shapes: dict[str, ToolShape] = {}
    sent: tuple[dict[str, Any], ...] = ()
    warnings: tuple[str, ...] = ()


def model_name(name: str, namespace: str | None) -> str:
    """Return the name by which a model knows a tool."""
    return plain_name(f"{namespace}__{name}" if namespace else name)


def custom_arguments(text: str) -> str:
    """Return a custom tool's text as the arguments that a model writes."""
    return msgspec.json.encode({INPUT: text}).decode()


def of_known_types(value: Any, path: str, ignored: list[str]) -> Any:
    """List those of a list that are of other types."""
    if not isinstance(value, list):
        return value
    known = []
    for at, each in enumerate(value):
        kind = each.get("type") if isinstance(each, dict) else None
        if isinstance(kind, str) and kind not in _TYPES:
            ignored.append(f"{path}[{at}].{kind}")
            each = {"type": "ignored"}
        elif kind == "namespace":
            where = f"{path}[{at}].tools"
            each = {**each, "tools": of_known_types(each.get("tools"), where, ignored)}
        known.append(each)
    return known


def _to_tools(
    sent: list[ResponseToolBody | IgnoredToolBody], path: str, limits: Limits
) -> ResponseTools:
    tools: dict[str, Tool] = {}
    shapes: dict[str, ToolShape] = {}
    warnings = []
    for where, tool, namespace in _flat(sent, path):
        name = model_name(tool.name, namespace)
        if name in tools:
            why = f"another tool is named '{faults.shown(tool.name)}'."
            raise faults.invalid(f"{where}.name", why)
        is_custom = isinstance(tool, CustomToolBody)
        shapes[name] = ToolShape(tool.name, namespace, is_custom)
        tools[name] = _to_tool(tool, name, where, limits)
        if is_custom and _lark_of(tool):
            warnings.append(f"{where}.format: told to the model, not enforced")
    if len(tools) > limits.tools:
        raise faults.too_long(path, limit=limits.tools, length=len(tools), what="array")
    return ResponseTools(
        tuple(tools.values()),
        shapes,
        tuple(_as_sent(each) for each in sent if isinstance(each, ResponseToolBody)),
        tuple(warnings),
    )


def _flat(
    sent: list[ResponseToolBody | IgnoredToolBody], path: str
) -> Iterator[tuple[str, ResponseToolBody, str | None]]:
    """Yield each tool with its path and its namespace."""
    for at, each in enumerate(sent):
        where = f"{path}[{at}]"
        if isinstance(each, NamespaceToolBody):
            for place, inner in enumerate(each.tools):
                if isinstance(inner, ResponseToolBody):
                    yield f"{where}.tools[{place}]", inner, each.name
        elif isinstance(each, ResponseToolBody):
            yield where, each, None


def _to_tool(sent: ResponseToolBody, name: str, path: str, limits: Limits) -> Tool:
    if isinstance(sent, CustomToolBody):
        return _custom_tool(sent, name, f"{path}.format")
    schema = sent.parameters or {} if isinstance(sent, FunctionToolBody) else {}
    path = f"{path}.parameters"
    schema_text(schema, path=path, limit=limits.grammar_chars)
    return Tool(name, sent.description or "", schema, path=path)


def _custom_tool(sent: CustomToolBody, name: str, path: str) -> Tool:
    text: dict[str, Any] = {"type": "string"}
    description = sent.description or ""
    if lark := _lark_of(sent):
        description += f"\n\nIts input fits this Lark grammar:\n{lark}"
    elif isinstance(sent.format, GrammarInputBody):
        text["pattern"] = f"^(?:{sent.format.definition})$"
    schema = {
        "type": "object",
        "properties": {INPUT: text},
        "required": [INPUT],
        "additionalProperties": False,
    }
    return Tool(name, description.strip(), schema, path=path)


def _lark_of(sent: ResponseToolBody) -> str:
    form = sent.format if isinstance(sent, CustomToolBody) else None
    if isinstance(form, GrammarInputBody) and form.syntax == "lark":
        return form.definition
    return ""


def _as_sent(sent: ResponseToolBody) -> dict[str, Any]:
    """Return a tool as an answer tells of it: a function with all its fields."""
    found: dict[str, Any] = msgspec.to_builtins(sent)
    if isinstance(sent, FunctionToolBody):
        named = ("type", "name", "description", "parameters", "strict")
        return {name: found[name] for name in named}
    if isinstance(sent, NamespaceToolBody):
        inner = (each for each in found["tools"] if each["type"] != "ignored")
        found["tools"] = [_without_nulls(each) for each in inner]
    return _without_nulls(found)


def _without_nulls(found: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in found.items() if value is not None}


ResponseToolsField = Annotated[
    ResponseTools,
    Leaves(of_known_types),
    Reads(
        Annotated[
            list[
                FunctionToolBody | CustomToolBody | NamespaceToolBody | IgnoredToolBody
            ],
            Bound(max_length="tools"),
            ErrorWords("an array of objects"),
        ],
        _to_tools,
    ),
    Said(
        "Tools the model may call; `custom` ones take a text, those of a `namespace` "
        "are called with it. A regular expression as `format` is enforced, a Lark "
        "grammar told to the model. Tools of other types are ignored and listed.",
        takes='array of up to {0.tools} `{{"type": "function", "name": ...}}` with '
        "`description`, `parameters` and `strict`, `custom` with `format`, or "
        "`namespace` with `tools`",
        refuses="two of one name",
    ),
]
