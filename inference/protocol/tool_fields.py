"""The grammar of tools: the functions a model may call, and how free it is to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from inference.core.requests import Tool, ToolMode, ToolUse
from inference.protocol import faults, reading
from inference.protocol.fields import StrictField

if TYPE_CHECKING:
    from collections.abc import Iterable

_MODES = (ToolMode.NONE, ToolMode.AUTO, ToolMode.REQUIRED)
_UNSUPPORTED_CHOICES = ("allowed_tools", "custom")
_TOOL_KEYS = {"type", "function"}
_FUNCTION_KEYS = {"name", "description", "parameters", "strict"}


class Tools(StrictField):
    """The functions a model may call; becomes a tuple of `Tool`."""

    types = (list,)
    what = "an array of objects"

    def to_value(self, data: Any) -> tuple[Tool, ...]:
        """Read each tool; name the one at fault by its place."""
        path = str(self.field_name)
        if len(data) > self.limits.tools:
            raise faults.too_long(
                path, limit=self.limits.tools, length=len(data), what="array"
            )
        tools = tuple(
            self._to_tool(item, f"{path}[{i}]") for i, item in enumerate(data)
        )
        seen: set[str] = set()
        for i, tool in enumerate(tools):
            if tool.name in seen:
                why = f"another tool is named '{tool.name}'."
                raise faults.invalid(f"{path}[{i}].function.name", why)
            seen.add(tool.name)
        return tools

    def _to_tool(self, item: Any, path: str) -> Tool:
        kind = reading.tagged(item, path=path)
        if kind == "custom":
            raise faults.unsupported(f"{path}.type", "'custom' is not supported.")
        if kind != "function":
            raise faults.wrong_value(f"{path}.type", kind, ("function",))
        function = reading.required(item, "function", dict, path=path)
        path = f"{path}.function"
        name = reading.function_name(function, path=path)
        description = reading.optional(function, "description", str, path=path)
        schema = reading.optional(function, "parameters", dict, path=path) or {}
        strict = reading.optional(function, "strict", bool, path=path)
        reading.schema_text(
            schema, path=f"{path}.parameters", limit=self.limits.grammar_chars
        )
        return Tool(name, description or "", schema, strict or False)

    def type_and_range(self) -> str:
        """Say what a tool is."""
        return (
            f"array of up to {self.limits.tools} "
            '`{"type": "function", "function": {"name": ...}}`, with `description`, '
            "`parameters` (a JSON schema) and `strict`; "
            "names of 1 to 64 letters, digits, `_`, `-`, `.`"
        )

    def unknown_keys(self, data: Any) -> Iterable[str]:
        """Look into each tool and its function, each name once."""
        names: dict[str, None] = {}
        for tool in data:
            names |= dict.fromkeys(reading.others(tool, _TOOL_KEYS, "[]"))
            inner = reading.others(tool["function"], _FUNCTION_KEYS, "[].function")
            names |= dict.fromkeys(inner)
        return names


class ToolChoice(StrictField):
    """How free the model is to call; becomes a mode and the function it names."""

    types = (str, dict)
    what = "a string or an object"

    def to_value(self, data: Any) -> tuple[ToolMode, str]:
        """Read a mode by its name, or the one function to call."""
        path = str(self.field_name)
        if isinstance(data, str):
            if data not in _MODES:
                raise faults.wrong_value(path, data, _MODES)
            return ToolMode(data), ""
        kind = reading.tagged(data, path=path)
        if kind in _UNSUPPORTED_CHOICES:
            raise faults.unsupported(path, f"of type '{kind}' is not supported.")
        if kind != "function":
            raise faults.wrong_value(f"{path}.type", kind, ("function",))
        function = reading.required(data, "function", dict, path=path)
        name = reading.required(function, "name", str, path=f"{path}.function")
        return ToolMode.FUNCTION, name

    def type_and_range(self) -> str:
        """Say the modes."""
        modes = ", ".join(f'`"{mode.value}"`' for mode in _MODES)
        return f'{modes} or `{{"type": "function", "function": {{"name": ...}}}}`'

    def unknown_keys(self, data: Any) -> Iterable[str]:
        """Look into the function that is named."""
        if isinstance(data, dict):
            yield from reading.others(data, _TOOL_KEYS)
            yield from reading.others(data.get("function"), {"name"}, "function")


def to_tool_use(values: dict[str, Any]) -> ToolUse | None:
    """Put validated tools and what was said of them together.

    Raises:
        InvalidRequestError: a choice without tools, or of one that is not there.
    """
    tools: tuple[Tool, ...] = values.get("tools", ())
    mode, function = values.get("tool_choice", (None, ""))
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
        parallel=values.get("parallel_tool_calls", not is_forced),
    )
