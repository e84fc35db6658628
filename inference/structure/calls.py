"""Tool calls as a grammar: which functions, and arguments that fit their schemas."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import msgspec

from inference.core.errors import InvalidRequestError
from inference.core.requests import ToolMode
from inference.structure.arguments import arguments_of
from inference.structure.faults import Fault
from inference.structure.grammars import fault_of_schema
from inference.structure.jobs import ANY_ARGUMENTS
from inference.structure.schemas import rigid

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from inference.core.requests import Tool, ToolUse


def calls_grammar(
    tools: Sequence[Tool],
    *,
    before: str = "",
    after: str = "",
    separator: str = "\n",
    most: int = 1,
) -> str:
    """Return the grammar of one to `most` calls of `tools`, in Lark.

    A call is `{"name": NAME, "arguments": ARGUMENTS}` between `before` and
    `after`; the arguments fit the tool's schema.
    """
    more = f" (more){{0,{most - 1}}}" if most > 1 else ""
    lines = [f"start: call{more}"]
    if more:
        lines.append(f"more: {_quoted(separator)} call")
    lines.append(f"call: {' | '.join(f'call_{i}' for i in range(len(tools)))}")
    for i, tool in enumerate(tools):
        name = json.dumps(tool.name, ensure_ascii=False)
        opening = _quoted(f'{before}{{"name": {name}, "arguments": ')
        schema = rigid(arguments_of(tool))
        lines.append(f"call_{i}: {opening} arguments_{i} {_quoted('}' + after)}")
        lines.append(f"arguments_{i}: %json {schema}")
    return "\n".join(lines)


def check_tools(
    use: ToolUse, tell: Callable[[str], None] = lambda _: None
) -> tuple[ToolUse, tuple[str, ...]]:
    """Return the tools with schemas that can be enforced, and what was given up.

    Where a call is forced, or a tool is `strict`, its schema has to hold. Else a
    schema that cannot be enforced holds as far as that its arguments are an object.
    `tell` hears which parameter is about to be checked.

    Raises:
        InvalidRequestError: a schema that has to hold cannot be enforced.
    """
    if use.mode is ToolMode.NONE:
        return use, ()
    callable_names = {tool.name for tool in use.callable_tools}
    tools, warnings = [], []
    for at, tool in enumerate(use.tools):
        param = tool.path or f"tools[{at}].function.parameters"
        tell(param)
        fault = _fault_in(tool) if tool.name in callable_names else None
        if fault is None:
            tools.append(tool)
        elif use.is_forced or tool.strict:
            raise InvalidRequestError(
                f"Invalid '{param}': {fault.message}.",
                param=param,
                code="invalid_schema",
            )
        else:
            tools.append(msgspec.structs.replace(tool, enforced=ANY_ARGUMENTS))
            warnings.append(f"tools[{at}]: {fault.short}")
    return msgspec.structs.replace(use, tools=tuple(tools)), tuple(warnings)


def _fault_in(tool: Tool) -> Fault | None:
    if not _admits_object(tool.parameters):
        return Fault("type", "the parameters of a function are an object")
    try:
        return _fault_in_schema(json.dumps(arguments_of(tool)))
    except (ValueError, TypeError, RecursionError) as error:
        return Fault("", str(error))


@lru_cache(maxsize=256)
def _fault_in_schema(source: str) -> Fault | None:
    """Judge a schema once: clients send the same tools with every request."""
    return fault_of_schema(json.loads(source))


def _admits_object(schema: dict[str, Any]) -> bool:
    kinds = schema.get("type", "object")
    return kinds == "object" or (isinstance(kinds, list) and "object" in kinds)


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
