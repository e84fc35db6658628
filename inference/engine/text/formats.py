"""How a model marks thinking and tool calls: as its entry says, else as its
template, its vocabulary and mlx-lm do.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from inference.core.models import ModelOptions
from inference.dialects.clues import Clues
from inference.dialects.dialect import CallForm, Dialect, ThinkingTags
from inference.dialects.foreign import foreign_dialect
from inference.dialects.registry import DIALECTS, IN_WORDS, SHIPPED, dialect_of
from inference.dialects.thinking import tags_of, thinking_as
from inference.engine.text.markers import MARKER_TOKENS_MOST, RECENT_TOKENS, Marker
from inference.engine.text.overrides import (
    OverrideError,
    configured_tags,
    system_prompt_of,
)
from inference.engine.text.shipped import shipped_dialect
from inference.prompting.rendering import template_text
from inference.prompting.traits import TemplateTraits, traits_of

_UNREAD = (
    "its template knows tools in a way that nobody here reads: they are explained in "
    "words instead"
)


@dataclass(frozen=True, slots=True)
class NativeCalls:
    """A model's own forms of calls: how they are forced, what marks them in text."""

    form: CallForm
    marks: tuple[tuple[Marker, CallForm], ...]


@dataclass(frozen=True, slots=True)
class NativeThinking:
    """A model's own thinking tags, as text and as tokens."""

    tags: ThinkingTags
    start: Marker
    end: Marker


@dataclass(frozen=True, slots=True)
class ModelFormats:
    """What is known of a model's ways to think and to call; `None`: nothing.

    `dialect` is how it writes calls, `thoughts` how it marks thinking, `thinking`
    the usual of its marks as tokens, `calls` what guides need, `names_tools` whether
    its template reads tools, whoever reads the calls.
    `system_prompt` is for conversations without one of their own.
    """

    traits: TemplateTraits
    dialect: Dialect | None
    thoughts: Dialect | None
    thinking: NativeThinking | None
    calls: NativeCalls | None
    system_prompt: str = ""
    names_tools: bool = False

    @property
    def bare(self) -> ModelFormats:
        """What holds of answers to a bare text: nothing in them has a meaning."""
        return ModelFormats(self.traits, None, None, None, None)

    @property
    def think_start(self) -> str | None:
        """The tag that begins the model's thinking, if it thinks."""
        return None if self.thinking is None else self.thinking.tags.start

    @property
    def dialect_name(self) -> str:
        """How it calls tools; empty where it does not, or nobody knows."""
        return self.dialect.name if self.dialect and self.names_tools else ""

    @property
    def notes(self) -> tuple[str, ...]:
        """What a person should know of how its calls are read."""
        if not self.names_tools:
            return ()
        if self.dialect is None:
            return (_UNREAD,)
        return (self.dialect.note,) if self.dialect.note else ()


def formats_of(
    tokenizer: Any, *, vocabulary: int, options: ModelOptions | None = None
) -> ModelFormats:
    """Read them off an mlx-lm tokenizer, and off what its entry says instead.

    Markers of tokens that the model has no logits for are none.

    Raises:
        OverrideError: the entry's template or tags cannot be used.
    """
    options = options or ModelOptions()
    clues = clues_of(tokenizer)
    dialect = _dialect_of(tokenizer, clues, options.dialect)
    configured = configured_tags(options)
    tags = _thinking_pairs(tokenizer, clues, configured)
    # Where messages have heads, those of thinking are no tags to templates.
    pairs = tags or (dialect.thinking if dialect else ())
    thinking = _thinking_of(tokenizer, vocabulary, pairs, configured=configured)
    traits = traits_of(
        tokenizer,
        reads_calls=dialect is not None,
        thinking_tags=(thinking.tags.start, thinking.tags.end)
        if thinking is not None and tags
        else None,
        own_markers=_own_markers(dialect, tags),
        write_calls=dialect.write if dialect else None,
    )
    if options.chat_template and traits.fault:
        raise OverrideError(
            f"chat_template cannot render a user's message: {traits.fault}"
        )
    return ModelFormats(
        traits=traits,
        dialect=dialect,
        thoughts=thinking_as(*pairs) if pairs else None,
        thinking=thinking,
        calls=calls_of(tokenizer, vocabulary, dialect),
        system_prompt=system_prompt_of(options),
        names_tools=clues.writes("tools") and options.dialect != IN_WORDS,
    )


def _dialect_of(tokenizer: Any, clues: Clues, said: str) -> Dialect | None:
    """Return what the entry says, else what the model shows, else mlx-lm's parser."""
    if said == IN_WORDS:
        return None
    if said == SHIPPED:
        return shipped_dialect(tokenizer)
    if said:
        named = DIALECTS.get(said)
        if named is None:
            known = ", ".join(sorted((*DIALECTS, IN_WORDS, SHIPPED)))
            raise OverrideError(f"dialect {said!r} is not known; there are {known}.")
        return named
    found = dialect_of(clues) or shipped_dialect(tokenizer)
    return found or foreign_dialect(tokenizer)


def clues_of(tokenizer: Any) -> Clues:
    """Return what a tokenizer shows of its model's dialect."""
    inner = getattr(tokenizer, "_tokenizer", tokenizer)
    known = inner.get_vocab()
    return Clues(template_text(tokenizer), known.__contains__)


def _own_markers(dialect: Dialect | None, pairs: tuple[ThinkingTags, ...]) -> list[str]:
    """Return the texts that an assistant's earlier content may hold as tokens."""
    found = [text for pair in pairs for text in (pair.start, pair.end)]
    if dialect is not None:
        found += [opener.text for opener in dialect.openers]
        found += [dialect.form.start, dialect.form.end] if dialect.form else []
    return [text.strip() for text in found if text.strip()]


def _thinking_pairs(
    tokenizer: Any, clues: Clues, configured: ThinkingTags | None
) -> tuple[ThinkingTags, ...]:
    if configured is not None:
        return (configured,)
    found = tags_of(clues)
    if not found and tokenizer.has_thinking:
        return (ThinkingTags(tokenizer.think_start, tokenizer.think_end),)
    return found


def _thinking_of(
    tokenizer: Any,
    vocabulary: int,
    pairs: tuple[ThinkingTags, ...],
    *,
    configured: ThinkingTags | None,
) -> NativeThinking | None:
    if not pairs:
        return None
    thinking = encoded_thinking(tokenizer, pairs[0])
    has_logits = max(thinking.start.tokens + thinking.end.tokens) < vocabulary
    if configured is None:
        return thinking if has_logits else None
    for name, marker in (("think_start", thinking.start), ("think_end", thinking.end)):
        count = len(marker.tokens)
        if not 0 < count <= MARKER_TOKENS_MOST:
            raise OverrideError(
                f"{name} is {count} tokens long; 1 to {MARKER_TOKENS_MOST} are taken."
            )
    if not has_logits:
        raise OverrideError("The model never says the tokens of its thinking tags.")
    return thinking


def encoded_thinking(tokenizer: Any, tags: ThinkingTags) -> NativeThinking:
    """Return thinking tags as a tokenizer's tokens."""
    start, end = (_marker(tokenizer, tag) for tag in (tags.start, tags.end))
    return NativeThinking(tags=tags, start=start, end=end)


def _marker(tokenizer: Any, tag: str) -> Marker:
    tokens = tuple(tokenizer.encode(tag, add_special_tokens=False))
    return Marker(tokens, text=tag.encode() if len(tokens) > 1 else b"")


def calls_of(
    tokenizer: Any, vocabulary: int, dialect: Dialect | None
) -> NativeCalls | None:
    """Return how a dialect's calls are held; `None`: the model cannot say them."""
    if dialect is None or dialect.form is None:
        return None
    marks = []
    for form in (dialect.form, *dialect.marks):
        texts = (form.before + form.start + form.lead, form.separator, form.end)
        spelled = [tokenizer.encode(t, add_special_tokens=False) for t in texts if t]
        if max(map(max, filter(None, spelled)), default=0) >= vocabulary:
            return None
        if form.is_mark:
            marks.append((_marker(tokenizer, form.start), form))
    return NativeCalls(
        dialect.form,
        tuple(each for each in marks if len(each[0].tokens) <= RECENT_TOKENS),
    )
