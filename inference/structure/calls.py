"""Tool calls as a grammar: which functions, and arguments that fit their schemas."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from inference.core.errors import InvalidRequestError
from inference.core.requests import ToolMode
from inference.structure.arguments import arguments_of
from inference.structure.faults import Fault
from inference.structure.grammars import fault_of_schema
from inference.structure.jobs import ANY_ARGUMENTS
from inference.structure.loosening import loosened
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

    A schema that cannot be holds as far as it can, at least so that arguments are an
    object. `tell` hears which parameter is about to be checked.

    Raises:
        InvalidRequestError: a call is forced, and no schema can be enforced at all.
    """
    if use.mode is ToolMode.NONE:
        return use, ()
    callable_names = {tool.name for tool in use.callable_tools}
    tools, warnings, faults = [], [], {}
    for at, tool in enumerate(use.tools):
        param = tool.path or f"tools[{at}].function.parameters"
        tell(param)
        held = _held(tool) if tool.name in callable_names else _WHOLE
        if held.fault is not None:
            faults[param] = held.fault
        if held.short:
            tool = msgspec.structs.replace(tool, enforced=held.schema)
            warnings.append(f"tools[{at}]: {held.short}")
        tools.append(tool)
    if use.is_forced and len(faults) == len(callable_names):
        param, fault = next(iter(faults.items()))
        raise InvalidRequestError(
            f"Invalid '{param}': {fault.message}.", param=param, code="invalid_schema"
        )
    return msgspec.structs.replace(use, tools=tuple(tools)), tuple(warnings)


class _Held(NamedTuple):
    """What holds of a tool's arguments; nothing `short` is said where all does."""

    schema: dict[str, Any] | None = None
    short: str = ""
    fault: Fault | None = None


_WHOLE = _Held()


def _held(tool: Tool) -> _Held:
    if not _admits_object(tool.parameters):
        fault = Fault("type", "the parameters of a function are an object")
        return _Held(ANY_ARGUMENTS, fault.short, fault)
    try:
        return _held_of_schema(json.dumps(arguments_of(tool)))
    except (ValueError, TypeError, RecursionError) as error:
        fault = Fault("", str(error))
        return _Held(ANY_ARGUMENTS, fault.short, fault)


@lru_cache(maxsize=256)
def _held_of_schema(source: str) -> _Held:
    """Judge a schema once: clients send the same tools with every request."""
    schema = json.loads(source)
    fault = fault_of_schema(schema)
    if fault is None:
        return _WHOLE
    if loose := loosened(schema, fault_of_schema):
        return _Held(loose.schema, loose.short)
    return _Held(ANY_ARGUMENTS, fault.short, fault)


def _admits_object(schema: dict[str, Any]) -> bool:
    kinds = schema.get("type", "object")
    return kinds == "object" or (isinstance(kinds, list) and "object" in kinds)


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
