"""How a model marks thinking and tool calls: as its entry says, else as its
tokenizer and its template do.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from inference.core.models import ModelOptions
from inference.engines.markers import MARKER_TOKENS_MOST, Marker
from inference.engines.overrides import OverrideError, system_prompt_of, tags_of
from inference.parsing.answers import CallFormat, ThinkingTags
from inference.prompting.traits import TemplateTraits, traits_of

# Formats whose body is `{"name": …, "arguments": …}` between these two texts.
# Only they can be held to a grammar and streamed in pieces.
_JSON_BODIES = {"json_tools": ("\n", "\n")}
# What templates write for models whose tokenizer has no tokens for it.
_USUAL_TAGS = ThinkingTags(start="<think>", end="</think>")


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
    """What is known of a model's ways to think and to call; `None`: nothing.

    `system_prompt` is for conversations without one of their own.
    """

    traits: TemplateTraits
    thinking: NativeThinking | None
    calls: NativeCalls | None
    system_prompt: str = ""

    @property
    def think_start(self) -> str | None:
        """The tag that begins the model's thinking, if it thinks."""
        return None if self.thinking is None else self.thinking.tags.start


def formats_of(
    tokenizer: Any, *, vocabulary: int, options: ModelOptions | None = None
) -> ModelFormats:
    """Read them off an mlx-lm tokenizer, and off what its entry says instead.

    Markers of tokens that the model has no logits for are none.

    Raises:
        OverrideError: the entry's template or tags cannot be used.
    """
    options = options or ModelOptions()
    thinking = _thinking_of(tokenizer, vocabulary, configured=tags_of(options))
    tags = None if thinking is None else (thinking.tags.start, thinking.tags.end)
    traits = traits_of(tokenizer, thinking_tags=tags)
    if options.chat_template and traits.fault:
        raise OverrideError(
            f"chat_template cannot render a user's message: {traits.fault}"
        )
    calls = _calls_of(tokenizer)
    if calls and max(calls.start.tokens + calls.end) >= vocabulary:
        calls = None
    return ModelFormats(
        traits=traits,
        thinking=thinking,
        calls=calls,
        system_prompt=system_prompt_of(options),
    )


def _thinking_of(
    tokenizer: Any, vocabulary: int, *, configured: ThinkingTags | None
) -> NativeThinking | None:
    if configured is not None:
        return _configured(tokenizer, vocabulary, configured)
    if tokenizer.has_thinking:
        thinking = NativeThinking(
            tags=ThinkingTags(start=tokenizer.think_start, end=tokenizer.think_end),
            start=Marker(tuple(tokenizer.think_start_tokens)),
            end=Marker(tuple(tokenizer.think_end_tokens)),
        )
    elif _writes_usual_tags(tokenizer):
        thinking = _encoded(tokenizer, _USUAL_TAGS)
    else:
        return None
    return thinking if _has_logits(thinking, vocabulary) else None


def _configured(tokenizer: Any, vocabulary: int, tags: ThinkingTags) -> NativeThinking:
    thinking = _encoded(tokenizer, tags)
    for name, marker in (("think_start", thinking.start), ("think_end", thinking.end)):
        count = len(marker.tokens)
        if not 0 < count <= MARKER_TOKENS_MOST:
            raise OverrideError(
                f"{name} is {count} tokens long; 1 to {MARKER_TOKENS_MOST} are taken."
            )
    if not _has_logits(thinking, vocabulary):
        raise OverrideError("The model never says the tokens of its thinking tags.")
    return thinking


def _has_logits(thinking: NativeThinking, vocabulary: int) -> bool:
    return max(thinking.start.tokens + thinking.end.tokens) < vocabulary


def _encoded(tokenizer: Any, tags: ThinkingTags) -> NativeThinking:
    start, end = (_marker(tokenizer, tag) for tag in (tags.start, tags.end))
    return NativeThinking(tags=tags, start=start, end=end)


def _marker(tokenizer: Any, tag: str) -> Marker:
    tokens = tuple(tokenizer.encode(tag, add_special_tokens=False))
    return Marker(tokens, text=tag.encode() if len(tokens) > 1 else b"")


def _writes_usual_tags(tokenizer: Any) -> bool:
    """Whether the template, or one of several, has thinking in it."""
    written = str(getattr(tokenizer, "chat_template", None) or "")
    return _USUAL_TAGS.start in written and _USUAL_TAGS.end in written


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
