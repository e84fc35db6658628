"""The grammar of tools: the functions a model may call, and how free it is to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from msgspec import Struct

from inference.core.requests import Tool, ToolMode, ToolUse
from inference.protocol import faults
from inference.protocol.calls import FunctionName, FunctionType
from inference.protocol.declared import Bound, Reads, Said, Unsupported
from inference.protocol.structure import schema_text

if TYPE_CHECKING:
    from inference.core.limits import Limits


class FunctionBody(Struct):
    """A function; `parameters` is a JSON schema of an object."""

    name: FunctionName
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None


class ToolBody(Struct):
    """What a model may call."""

    type: FunctionType
    function: FunctionBody


class NamedFunctionBody(Struct):
    """The name of a function."""

    name: str


class NamedToolBody(Struct):
    """The one tool to call."""

    type: Annotated[
        Literal["function"],
        Unsupported(
            "of type '{}' is not supported.", ("allowed_tools", "custom"), whole=True
        ),
    ]
    function: NamedFunctionBody


def _to_tools(sent: list[ToolBody], path: str, limits: Limits) -> tuple[Tool, ...]:
    """Read each tool; name the one at fault by its place."""
    tools: dict[str, Tool] = {}
    for i, each in enumerate(sent):
        function, where = each.function, f"{path}[{i}].function"
        schema = function.parameters or {}
        schema_text(schema, path=f"{where}.parameters", limit=limits.grammar_chars)
        if function.name in tools:
            why = f"another tool is named '{function.name}'."
            raise faults.invalid(f"{where}.name", why)
        tools[function.name] = Tool(
            function.name,
            function.description or "",
            schema,
            function.strict or False,
        )
    return tuple(tools.values())


def _to_choice(
    sent: str | NamedToolBody, _path: str, _limits: Limits
) -> tuple[ToolMode, str]:
    if isinstance(sent, str):
        return ToolMode(sent), ""
    return ToolMode.FUNCTION, sent.function.name


Tools = Annotated[
    tuple[Tool, ...],
    Reads(Annotated[list[ToolBody], Bound(max_length="tools")], _to_tools),
    Said(
        "Functions the model may call.",
        takes='array of up to {0.tools} `{{"type": "function", "function": '
        '{{"name": ...}}}}`, with `description`, `parameters` (a JSON schema) and '
        "`strict`; names of 1 to 64 letters, digits, `_`, `-`, `.`",
        refuses="type `custom`; two of one name",
    ),
]
ToolChoice = Annotated[
    tuple[ToolMode | None, str],
    Reads(Literal["none", "auto", "required"] | NamedToolBody, _to_choice),
    Said(
        "Whether the model may, must or must not call, and which function.",
        absent='`"auto"` with tools',
        takes='`"none"`, `"auto"`, `"required"` or `{{"type": "function", '
        '"function": {{"name": ...}}}}`',
        refuses='without `tools`, but for `"none"`; a function that is not in them; '
        "`allowed_tools`",
    ),
]


def to_tool_use(
    tools: tuple[Tool, ...],
    choice: tuple[ToolMode | None, str],
    *,
    parallel: bool | None,
) -> ToolUse | None:
    """Put tools and what was said of them together.

    Raises:
        InvalidRequestError: a choice without tools, or of one that is not there.
    """
    mode, function = choice
    if not tools:
        if mode not in (None, ToolMode.NONE):
            raise faults.invalid("tool_choice", "only allowed when 'tools' are given.")
        return None
    if mode is ToolMode.FUNCTION and function not in {tool.name for tool in tools}:
        why = f"no tool is named '{faults.shown(function)}'."
        raise faults.invalid("tool_choice", why)
    is_forced = mode in (ToolMode.REQUIRED, ToolMode.FUNCTION)
    return ToolUse(
        tools=tools,
        mode=mode or ToolMode.AUTO,
        function=function,
        # A weak model that has to call would go on calling.
        parallel=not is_forced if parallel is None else parallel,
    )
