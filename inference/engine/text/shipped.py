"""Answers of a model that ships a description of them: its `response_template`.

transformers reads it; what it finds goes the way of all calls: judged by the tools of
the request. Dialects of our own come first, as they mend slips and hold grammars.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from inference.dialects.dialect import Dialect
from inference.dialects.registry import SHIPPED
from inference.dialects.signatures import dumped
from inference.dialects.source import NotWrittenError

if TYPE_CHECKING:
    from collections.abc import Callable

    from inference.dialects.answers import AnswerParser
    from inference.dialects.source import Reading

_THINKING = frozenset({"thinking", "reasoning", "reasoning_content"})


def shipped_dialect(tokenizer: Any) -> Dialect | None:
    """Return a dialect that follows a tokenizer's own template for answers.

    `None` where it has none, or one that cannot be used.
    """
    inner = getattr(tokenizer, "_tokenizer", tokenizer)
    template = getattr(inner, "response_template", None)
    if not template:
        return None
    parser = partial(inner.get_response_parser, prefix="")
    try:
        parser()
    except Exception:  # noqa: BLE001 -- templates of models hold whatever they like
        return None
    return Dialect(
        name=SHIPPED,
        answers=partial(_read_answer, parser),
        note="answers are read as the model's response_template says",
    )


def _read_answer(open_parser: Callable[[], Any], answer: AnswerParser) -> Reading:
    source = answer.source
    parser = open_parser()
    written = ""
    while True:
        text = source.take(len(source.rest))
        events = parser.feed(text)
        if source.has_ended:
            events += parser.finalize()[1]
        for event in events:
            written = _take(answer, event, written)
        if source.has_ended:
            return
        yield


def _take(answer: AnswerParser, event: dict[str, Any], written: str) -> str:
    """Take one event; return what was written of a region of calls so far."""
    field, kind = event["field"], event["type"]
    if kind == "region_chunk" and field == "content":
        answer.show(event["text"])
    elif kind == "region_chunk" and field in _THINKING:
        answer.think(event["text"])
    elif field == "tool_calls":
        answer.in_call = kind != "region_close"
        if kind == "region_chunk":
            return f"{written}{event['text']}"
        if kind == "region_close":
            _take_calls(answer, event["value"], written)
    answer.is_thinking = field in _THINKING and kind != "region_close"
    return ""


def _take_calls(answer: AnswerParser, value: Any, written: str) -> None:
    try:
        for call in value if isinstance(value, list) else [value]:
            function = call.get("function", call) if isinstance(call, dict) else {}
            arguments = function.get("arguments", {})
            text = arguments if isinstance(arguments, str) else dumped(arguments)
            answer.take_call(str(function.get("name", "")), text)
    except NotWrittenError as why:
        answer.refuse_call(str(why), written)
