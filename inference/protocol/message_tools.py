"""The grammar of Anthropic's tools: what a model may call, and how free it is to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from msgspec import Struct

from inference.core.requests import Tool, ToolMode
from inference.protocol import faults
from inference.protocol.declared import Bound, Reads, Said
from inference.protocol.message_blocks import ToolName
from inference.protocol.structure import schema_text

if TYPE_CHECKING:
    from inference.core.limits import Limits

_Label = Annotated[str, Bound(max_length=64)]


class MessageToolBody(Struct, kw_only=True):
    """A tool; without a type, or of type `custom`, the client runs it."""

    type: _Label | None = None
    name: ToolName | None = None
    description: str | None = None
    input_schema: dict[str, Any] | None = None
    strict: bool | None = None
    cache_control: Any = None
    defer_loading: Any = None
    allowed_callers: Any = None
    eager_input_streaming: Any = None
    input_examples: Any = None


class ChoiceBody(Struct, tag_field="type"):
    """Whether one answer may hold several calls."""

    disable_parallel_tool_use: bool | None = None


class AutoChoiceBody(ChoiceBody, tag="auto"):
    """The model may call."""


class AnyChoiceBody(ChoiceBody, tag="any"):
    """The model has to call."""


class NoChoiceBody(ChoiceBody, tag="none"):
    """The model may not call."""


class ToolChoiceBody(ChoiceBody, tag="tool", kw_only=True):
    """The model has to call this one."""

    name: str


@dataclass(frozen=True)
class SentTools:
    """The tools that can be called, and the types of those that nobody here knows."""

    tools: tuple[Tool, ...] = ()
    ignored: tuple[str, ...] = ()


@dataclass(frozen=True)
class SentChoice:
    """How free the model is to call; without a mode nothing was said."""

    mode: ToolMode | None = None
    function: str = ""
    parallel: bool | None = None


_MODES = {"any": ToolMode.REQUIRED, "none": ToolMode.NONE, "tool": ToolMode.FUNCTION}


def _to_tools(sent: list[MessageToolBody], path: str, limits: Limits) -> SentTools:
    tools: dict[str, Tool] = {}
    ignored: list[str] = []
    for place, each in enumerate(sent):
        where = f"{path}[{place}]"
        if each.type not in (None, "custom"):
            ignored.append(f"{path}[].{each.type}")
            continue
        for name in ("name", "input_schema"):
            if getattr(each, name) is None:
                raise faults.missing(f"{where}.{name}")
        tool = _to_tool(each, f"{where}.input_schema", limits)
        if tool.name in tools:
            why = f"another tool is named '{tool.name}'."
            raise faults.invalid(f"{where}.name", why)
        tools[tool.name] = tool
    return SentTools(tuple(tools.values()), tuple(dict.fromkeys(ignored)))


def _to_tool(sent: MessageToolBody, path: str, limits: Limits) -> Tool:
    schema = sent.input_schema or {}
    schema_text(schema, path=path, limit=limits.grammar_chars)
    return Tool(
        sent.name or "",
        sent.description or "",
        schema,
        path=path,
    )


def _to_choice(sent: ChoiceBody, _path: str, _limits: Limits) -> SentChoice:
    once = sent.disable_parallel_tool_use
    return SentChoice(
        # Free is what the model is without a word, too.
        _MODES.get(str(sent.__struct_config__.tag)),
        sent.name if isinstance(sent, ToolChoiceBody) else "",
        None if once is None else not once,
    )


MessageTools = Annotated[
    SentTools,
    Reads(Annotated[list[MessageToolBody], Bound(max_length="tools")], _to_tools),
    Said(
        "Tools the model may call. Tools of other types than `custom` are ignored and "
        "listed.",
        takes='array of up to {0.tools} `{{"name": ..., "input_schema": {{...}}}}`, '
        "with `description` and `strict`; names of 1 to 128 letters, digits, `_`, `-`, "
        "`.`",
        refuses="two of one name",
    ),
]
MessageToolChoice = Annotated[
    SentChoice,
    Reads(AutoChoiceBody | AnyChoiceBody | NoChoiceBody | ToolChoiceBody, _to_choice),
    Said(
        "Whether the model may, must or must not call, and which tool; "
        "`disable_parallel_tool_use`: one call at most.",
        absent='`{"type": "auto"}`',
        takes='`{{"type": ...}}` with `auto`, `any`, `none`, or `tool` and its `name`',
        refuses="a forced call without `tools`, or of one that is not in them",
    ),
]
