"""The grammar of a choice among a response's tools: how free a model is to call."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec
from msgspec import Struct

from inference.core.requests import ToolMode
from inference.protocol.declared import Bound, ErrorWords, Leaves, Reads, Said
from inference.protocol.response_tools import (
    IgnoredToolBody,
    ToolShape,
    model_name,
    of_known_types,
)
from inference.protocol.tool_fields import Choice

if TYPE_CHECKING:
    from inference.core.limits import Limits

_CHOICE_TYPES = ("function", "custom", "allowed_tools")


class NamedChoiceBody(Struct, tag_field="type", kw_only=True):
    """A choice of one tool."""

    name: str


class FunctionChoiceBody(NamedChoiceBody, tag="function", kw_only=True):
    """A choice of one function."""


class CustomChoiceBody(NamedChoiceBody, tag="custom", kw_only=True):
    """A choice of one custom tool."""


class NamespaceChoiceBody(NamedChoiceBody, tag="namespace", kw_only=True):
    """A choice of all tools of one namespace."""


class AllowedChoiceBody(Struct, tag_field="type", tag="allowed_tools", kw_only=True):
    """A choice of some tools; those of other types are nobody's here."""

    mode: Literal["auto", "required"]
    tools: Annotated[
        list[
            FunctionChoiceBody
            | CustomChoiceBody
            | NamespaceChoiceBody
            | IgnoredToolBody
        ],
        Bound(min_length=1, max_length="tools"),
    ]


class ResponseChoice(Struct, frozen=True):
    """What was said of the tools; `sent` is how."""

    mode: ToolMode | None = None
    names: tuple[str, ...] = ()
    sent: Any = "auto"

    def among(self, shapes: dict[str, ToolShape]) -> Choice:
        """Return it by the model's names; a name may be that of a namespace."""
        names = [name for each in self.names for name in _named(each, shapes)]
        if self.mode is ToolMode.FUNCTION:
            return Choice(self.mode, names[0])
        return Choice(self.mode, allowed=frozenset(names))


def _named(name: str, shapes: dict[str, ToolShape]) -> list[str]:
    if model_name(name, None) in shapes:
        return [model_name(name, None)]
    within = [
        at for at, shape in shapes.items() if name in (shape.namespace, shape.name)
    ]
    return within or [name]


def _usable_choice(value: Any, path: str, ignored: list[str]) -> Any:
    """Leave out a wish for what this server has not."""
    if not isinstance(value, dict):
        return value
    kind = value.get("type")
    if isinstance(kind, str) and kind not in _CHOICE_TYPES:
        ignored.append(f"{path}.{kind}")
        return "auto"
    if kind == "allowed_tools":
        where = f"{path}.tools"
        tools = of_known_types(value.get("tools"), where, ignored)
        return {**value, "tools": tools}
    return value


def _to_choice(sent: Any, _path: str, _limits: Limits) -> ResponseChoice:
    if isinstance(sent, str):
        return ResponseChoice(ToolMode(sent), sent=sent)
    told = msgspec.to_builtins(sent)
    if isinstance(sent, AllowedChoiceBody):
        named = [each for each in sent.tools if isinstance(each, NamedChoiceBody)]
        names = tuple(each.name for each in named)
        told |= {"tools": msgspec.to_builtins(named)}
        # Where only tools are allowed that are not here, none is.
        mode = ToolMode(sent.mode) if names else ToolMode.NONE
        return ResponseChoice(mode, names, told)
    return ResponseChoice(ToolMode.FUNCTION, (sent.name,), told)


ResponseChoiceField = Annotated[
    ResponseChoice,
    Leaves(_usable_choice),
    Reads(
        Annotated[
            Literal["none", "auto", "required"]
            | FunctionChoiceBody
            | CustomChoiceBody
            | AllowedChoiceBody,
            ErrorWords("a string or an object"),
        ],
        _to_choice,
    ),
    Said(
        "Whether the model may, must or must not call, and which tool. Types of tools "
        "that are not here are ignored and listed.",
        absent='`"auto"` with tools',
        takes='`"none"`, `"auto"`, `"required"`, `{{"type": "function", "name": '
        '...}}`, the same with `custom`, or `{{"type": "allowed_tools", "mode": ..., '
        '"tools": [...]}}`',
        refuses="without `tools`, where it asks for a call; a tool that is not in them",
    ),
]
