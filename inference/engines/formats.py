"""How a model marks thinking and tool calls, read off its tokenizer and template."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from inference.engines.guides import Marker
from inference.parsing.answers import CallFormat, ThinkingTags
from inference.prompting.templates import TemplateTraits, traits_of

# Formats whose body is `{"name": …, "arguments": …}` between these two texts.
# Only they can be held to a grammar and streamed in pieces.
_JSON_BODIES = {"json_tools": ("\n", "\n")}


@dataclass(frozen=True, slots=True)
class JSONBody:
    """The text around the JSON of a call, inside its markers."""

    before: str
    after: str


@dataclass(frozen=True, slots=True)
class NativeCalls:
    """A model's own call format: as text for the parser, as tokens for guides."""

    name: str
    text: CallFormat
    start: Marker
    end: tuple[int, ...]
    json: JSONBody | None


@dataclass(frozen=True, slots=True)
class NativeThinking:
    """A model's own thinking tags, as text and as tokens."""

    tags: ThinkingTags
    start: Marker
    end: Marker


@dataclass(frozen=True, slots=True)
class ModelFormats:
    """What is known of a model's ways to think and to call; `None`: nothing."""

    traits: TemplateTraits
    thinking: NativeThinking | None
    calls: NativeCalls | None


def formats_of(tokenizer: Any, *, vocabulary: int) -> ModelFormats:
    """Read them off an mlx-lm tokenizer.

    Markers of tokens that the model has no logits for are none.
    """
    thinking, calls = _thinking_of(tokenizer), _calls_of(tokenizer)
    if thinking and max(thinking.start.tokens + thinking.end.tokens) >= vocabulary:
        thinking = None
    if calls and max(calls.start.tokens + calls.end) >= vocabulary:
        calls = None
    return ModelFormats(traits=traits_of(tokenizer), thinking=thinking, calls=calls)


def _thinking_of(tokenizer: Any) -> NativeThinking | None:
    if not tokenizer.has_thinking:
        return None
    return NativeThinking(
        tags=ThinkingTags(start=tokenizer.think_start, end=tokenizer.think_end),
        start=Marker(tuple(tokenizer.think_start_tokens)),
        end=Marker(tuple(tokenizer.think_end_tokens)),
    )


def _calls_of(tokenizer: Any) -> NativeCalls | None:
    if not tokenizer.has_tool_calling:
        return None
    name = tokenizer.tool_parser.__module__.rpartition(".")[2]
    start = tuple(tokenizer.tool_call_start_tokens)
    # A marker of several tokens is easily spelled in another way.
    around = _JSON_BODIES.get(name) if len(start) == 1 else None
    return NativeCalls(
        name=name,
        text=CallFormat(
            start=tokenizer.tool_call_start,
            end=tokenizer.tool_call_end,
            parse=tokenizer.tool_parser,
            streams=around is not None,
        ),
        start=Marker(start),
        end=tuple(tokenizer.tool_call_end_tokens),
        json=None if around is None else JSONBody(*around),
    )
