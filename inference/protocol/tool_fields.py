"""The grammar of tools: the functions a model may call, and how free it is to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from msgspec import Struct

from inference.core.requests import Tool, ToolMode, ToolUse
from inference.protocol import faults
from inference.protocol.calls import FunctionName, FunctionType, plain_name
from inference.protocol.declared import Bound, Leaves, Reads, Said
from inference.protocol.structure import schema_text

if TYPE_CHECKING:
    from inference.core.limits import Limits


class FunctionBody(Struct):
    """A function; `parameters` is a JSON schema of an object, held whatever `strict`."""

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
    """One of the tools."""

    type: Literal["function"]
    function: NamedFunctionBody


class AllowedBody(Struct):
    """Those of the tools that may be called, and whether one has to be."""

    mode: Literal["auto", "required"]
    tools: Annotated[list[NamedToolBody], Bound(min_length=1, max_length="tools")]


class AllowedToolsBody(Struct, tag_field="type", tag="allowed_tools"):
    """A choice of some tools."""

    allowed_tools: AllowedBody


class NamedToolChoiceBody(Struct, tag_field="type", tag="function"):
    """A choice of one tool."""

    function: NamedFunctionBody


class Choice(Struct, frozen=True):
    """What a request says of its tools; `allowed`: those a model may know of."""

    mode: ToolMode | None = None
    function: str = ""
    allowed: frozenset[str] = frozenset()


def _usable(value: Any, path: str, ignored: list[str]) -> Any:
    """Leave out tools of other types, where there are functions beside them."""
    if not isinstance(value, list):
        return value
    others = {
        at: kind
        for at, tool in enumerate(value)
        if isinstance(tool, dict)
        and isinstance(kind := tool.get("type"), str)
        and kind != "function"
    }
    if len(others) == len(value):
        return value
    ignored += [f"{path}[{at}].{kind}" for at, kind in others.items()]
    return [tool for at, tool in enumerate(value) if at not in others]


def _to_tools(sent: list[ToolBody], path: str, limits: Limits) -> tuple[Tool, ...]:
    """Read each tool; name the one at fault by its place."""
    tools: dict[str, Tool] = {}
    for i, each in enumerate(sent):
        function, where = each.function, f"{path}[{i}].function"
        name = plain_name(function.name)
        schema = function.parameters or {}
        schema_text(schema, path=f"{where}.parameters", limit=limits.grammar_chars)
        if function.name in tools:
            why = f"another tool is named '{faults.shown(function.name)}'."
            raise faults.invalid(f"{where}.name", why)
        tools[function.name] = Tool(
            name,
            function.description or "",
            schema,
            sent_name="" if name == function.name else function.name,
        )
    return tuple(tools.values())


def _to_choice(
    sent: str | NamedToolChoiceBody | AllowedToolsBody, _path: str, _limits: Limits
) -> Choice:
    if isinstance(sent, str):
        return Choice(ToolMode(sent))
    if isinstance(sent, NamedToolChoiceBody):
        return Choice(ToolMode.FUNCTION, plain_name(sent.function.name))
    names = [plain_name(tool.function.name) for tool in sent.allowed_tools.tools]
    return Choice(ToolMode(sent.allowed_tools.mode), allowed=frozenset(names))


Tools = Annotated[
    tuple[Tool, ...],
    Leaves(_usable),
    Reads(Annotated[list[ToolBody], Bound(max_length="tools")], _to_tools),
    Said(
        "Functions the model may call.",
        takes='array of up to {0.tools} `{{"type": "function", "function": '
        '{{"name": ...}}}}`, with `description`, `parameters` (a JSON schema) and '
        "`strict`; names of 1 to {0.tool_name_chars} characters. Tools of other types "
        "beside these are ignored",
        refuses="no tool of type `function`; two of one name",
    ),
]
ToolChoice = Annotated[
    Choice,
    Reads(
        Literal["none", "auto", "required"] | NamedToolChoiceBody | AllowedToolsBody,
        _to_choice,
    ),
    Said(
        "Whether the model may, must or must not call, and which function.",
        absent='`"auto"` with tools',
        takes='`"none"`, `"auto"`, `"required"`, `{{"type": "function", '
        '"function": {{"name": ...}}}}` or `{{"type": "allowed_tools", ...}}`',
        refuses="without `tools`, where it asks for a call; a function that is not "
        "in them",
    ),
]


def to_tool_use(
    tools: tuple[Tool, ...], choice: Choice, *, parallel: bool | None
) -> ToolUse | None:
    """Put tools and what was said of them together; a model knows the allowed ones.

    Raises:
        InvalidRequestError: a call is asked for without tools, or of one that is
            not there.
    """
    mode = choice.mode
    if not tools:
        if mode not in (None, ToolMode.NONE, ToolMode.AUTO):
            raise faults.invalid("tool_choice", "only allowed when 'tools' are given.")
        return None
    named = {choice.function} if mode is ToolMode.FUNCTION else choice.allowed
    for missing in sorted(named - {tool.name for tool in tools}):
        why = f"no tool is named '{faults.shown(missing)}'."
        raise faults.invalid("tool_choice", why)
    if choice.allowed:
        tools = tuple(tool for tool in tools if tool.name in choice.allowed)
    is_forced = mode in (ToolMode.REQUIRED, ToolMode.FUNCTION)
    return ToolUse(
        tools=tools,
        mode=mode or ToolMode.AUTO,
        function=choice.function,
        # A weak model that has to call would go on calling.
        parallel=not is_forced if parallel is None else parallel,
    )
