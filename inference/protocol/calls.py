"""The grammar of calls within a conversation: what was called, what came back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from inference.core.requests import ToolCall
from inference.protocol import faults, reading

if TYPE_CHECKING:
    from collections.abc import Iterable

    from inference.core.limits import Limits

_CALL_KEYS = {"id", "type", "function", "index"}
_FUNCTION_KEYS = {"name", "arguments"}


def to_calls(value: Any, *, path: str, limits: Limits) -> tuple[ToolCall, ...]:
    """Validate the `tool_calls` of an assistant's message."""
    if type(value) is not list:
        raise faults.wrong_type(path, "an array of objects", value)
    if len(value) > limits.tool_calls:
        raise faults.too_long(
            path, limit=limits.tool_calls, length=len(value), what="array"
        )
    return tuple(
        _to_call(item, path=f"{path}[{i}]", limits=limits)
        for i, item in enumerate(value)
    )


def check_call_id(
    message: dict[str, Any], role: str, called: set[str], *, path: str
) -> str | None:
    """Return the id of the call that a tool's message answers.

    Raises:
        InvalidRequestError: nothing before it made such a call, or another role
            carries an id.
    """
    if role != "tool":
        if message.get("tool_call_id"):
            why = "only allowed in messages with role 'tool'."
            raise faults.invalid(f"{path}.tool_call_id", why)
        return None
    call_id = reading.required(message, "tool_call_id", str, path=path)
    if call_id not in called:
        why = (
            "messages with role 'tool' must be a response to a preceding message "
            "with 'tool_calls'."
        )
        raise faults.invalid(f"{path}.tool_call_id", why)
    return call_id


def unknown_in_call(call: dict[str, Any], path: str) -> Iterable[str]:
    """Name the keys of a validated call that no rule here reads."""
    yield from reading.others(call, _CALL_KEYS, path)
    yield from reading.others(call["function"], _FUNCTION_KEYS, f"{path}.function")


def _to_call(item: Any, *, path: str, limits: Limits) -> ToolCall:
    kind = reading.tagged(item, path=path)
    if kind == "custom":
        raise faults.unsupported(f"{path}.type", "'custom' is not supported.")
    if kind != "function":
        raise faults.wrong_value(f"{path}.type", kind, ("function",))
    call_id = reading.required(item, "id", str, path=path)
    if not call_id:
        raise faults.empty(f"{path}.id", what="string")
    if len(call_id) > limits.tool_call_id_chars:
        raise faults.too_long(
            f"{path}.id",
            limit=limits.tool_call_id_chars,
            length=len(call_id),
            what="string",
        )
    function = reading.required(item, "function", dict, path=path)
    path = f"{path}.function"
    name = reading.function_name(function, path=path)
    arguments = reading.required(function, "arguments", str, path=path)
    if len(arguments) > limits.text_chars:
        raise faults.too_long(
            f"{path}.arguments",
            limit=limits.text_chars,
            length=len(arguments),
            what="string",
        )
    return ToolCall(call_id, name, arguments)
