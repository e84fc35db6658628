"""Calls that mlx-lm knows how to read and no dialect here does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from inference.dialects.dialect import Dialect, Opener
from inference.dialects.signatures import dumped
from inference.dialects.source import CutOffError, NotWrittenError

if TYPE_CHECKING:
    from collections.abc import Callable

    from inference.dialects.dialect import CallSink
    from inference.dialects.source import Reading, Source


def foreign_dialect(tokenizer: Any) -> Dialect | None:
    """Return a dialect that calls a tokenizer's own parser, where it has one."""
    if not getattr(tokenizer, "has_tool_calling", False):
        return None
    name = tokenizer.tool_parser.__module__.rpartition(".")[2]
    start, end = tokenizer.tool_call_start, tokenizer.tool_call_end or ""
    if not start:
        return None
    read = _ForeignCalls(tokenizer.tool_parser, end)
    return Dialect(
        name=name,
        openers=(Opener(start, read),),
        note="calls are read by mlx-lm's parser, when they are whole",
    )


class _ForeignCalls:
    def __init__(self, parse: Callable[[str], Any], end: str) -> None:
        self._parse = parse
        self._end = end

    def __call__(self, source: Source, sink: CallSink) -> Reading:
        try:
            if self._end:
                body, _ = yield from source.until(self._end)
            else:
                body = yield from source.before("\0")
        except CutOffError:
            if not source.has_ended or source.was_cut:
                raise
            body = source.take(len(source.rest))
        try:
            found = self._parse(body)
        except Exception as error:
            raise NotWrittenError("it could not be parsed") from error
        calls = found if isinstance(found, list) else [found]
        if not calls:
            raise NotWrittenError("it is empty")
        for call in calls:
            _hand_over(call, sink)


def _hand_over(call: Any, sink: CallSink) -> None:
    name = call.get("name") if isinstance(call, dict) else None
    if not isinstance(name, str) or not name:
        raise NotWrittenError("it has no name")
    call_id = call.get("id")
    sink.begin(name, call_id if isinstance(call_id, str) else "")
    arguments = call.get("arguments", call.get("parameters", {}))
    sink.write(arguments if isinstance(arguments, str) else dumped(arguments))
    sink.end()
