"""From messages to prompt tokens by the model's own chat template."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

from jinja2 import TemplateError

from inference.core.errors import InvalidRequestError
from inference.core.requests import ToolMode
from inference.images.parts import refuse_images
from inference.prompting.attempts import attempts
from inference.prompting.continuing import MARK, continued
from inference.prompting.control import encoded
from inference.prompting.effort import chosen, in_its_words
from inference.prompting.probes import values_of
from inference.prompting.rendering import Tokenizer, text_of
from inference.prompting.sandbox import RENDER_S, rendering_within
from inference.prompting.turns import tool_objects, with_system_prompt

if TYPE_CHECKING:
    from inference.core.requests import ChatMessage, ChatPrompt, ToolUse
    from inference.prompting.attempts import Attempt
    from inference.prompting.continuing import Continued
    from inference.prompting.traits import TemplateTraits

_USUAL_SWITCH = "enable_thinking"
_REASON_CHARS = 500
_WORD_WITHIN = 32
_LOST = "the model's chat template leaves a system message out"
# What a template raises, by itself or by what it does with its input.
_REFUSALS = (
    TemplateError,
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    RecursionError,
    TypeError,
    ValueError,
)


@dataclass(frozen=True, slots=True)
class RenderedPrompt:
    """A prompt's tokens, never empty.

    `opens_thinking`: they end inside the model's thinking. `continues`: they end
    inside the text of an answer. `follows` is the last token of a word, where they end
    inside text or thinking. `uses_fallback_tools`: its tools were explained in
    words, because its template knows none. `thinking_budget` stands for the effort
    that was asked of a model without levels. `ignored` names parameters that mean
    nothing to this model. `text` is what the tokens say.
    """

    tokens: list[int]
    opens_thinking: bool = False
    uses_fallback_tools: bool = False
    warnings: tuple[str, ...] = ()
    continues: bool = False
    follows: int | None = None
    thinking_budget: int | None = None
    ignored: tuple[str, ...] = ()
    text: str = ""


class PromptEncoder(Protocol):
    """What encodes prompts in a tokenizer's place, where they may be of any length."""

    def admit(self, text: str) -> None:
        """Raise the refusal of a text that is too long, before it is encoded."""

    def encode(self, text: str, **options: Any) -> list[int]:
        """Turn text into token ids."""


@dataclass(frozen=True, slots=True)
class _Text:
    """A prompt as text, and what was done to the conversation for it."""

    text: str
    attempt: Attempt
    opens_thinking: bool | None = None
    continues: bool = False


def render(
    tokenizer: Tokenizer,
    prompt: ChatPrompt,
    traits: TemplateTraits,
    *,
    think_start: str | None,
    system_prompt: str = "",
    encoder: PromptEncoder | None = None,
) -> RenderedPrompt:
    """Render a prompt with the tokenizer's template.

    `think_start` is the tag that begins the model's thinking, if it thinks.
    `system_prompt` is what a conversation without a system message gets. Messages
    that the template refuses, or loses, are changed as little as it takes, and the
    warnings say how. Control tokens that people wrote are text. `encoder` makes the
    tokens; without one the tokenizer does.

    Raises:
        VisionNotSupportedError: a message carries an image.
        InvalidRequestError: the template refuses these messages, takes too long or
            needs too much memory; or the encoder refuses what it made of them.
    """
    refuse_images(prompt.messages)
    thinks = think_start is not None
    effort = chosen(prompt.reasoning_effort, traits.effort, thinks=thinks)
    prompt = traits.control.marked(prompt)
    given, unread = in_its_words(prompt.template_kwargs, traits.names, traits.effort)
    # mlx-lm turns thinking off where it does not know the model's tags itself.
    usual = {_USUAL_SWITCH: thinks} if _USUAL_SWITCH in (traits.names or ()) else {}
    page = _Page(
        tokenizer,
        _offered(prompt),
        traits,
        options={**values_of(traits.always), **usual, **effort.options, **given},
        tags=(think_start or "", traits.words.think_end if think_start else ""),
    )
    try:
        with rendering_within(RENDER_S):
            found = page.written(prompt, system_prompt)
    except (TimeoutError, MemoryError) as error:
        raise page.refused(error) from error
    text = traits.control.unmarked(found.text)
    if encoder is not None:
        encoder.admit(text)
    # A template has written the special tokens already.
    special = {"add_special_tokens": False} if tokenizer.has_chat_template else {}
    tokens = encoded(encoder or tokenizer, found.text, traits.control, **special)
    if not tokens:
        raise InvalidRequestError("The prompt is empty.", param="messages")
    opens = found.opens_thinking
    if opens is None:
        opens = bool(think_start and found.text.rstrip().endswith(think_start))
    return RenderedPrompt(
        tokens=tokens,
        opens_thinking=opens,
        uses_fallback_tools=page.tools is not None and found.attempt.is_written,
        warnings=found.attempt.warnings,
        continues=found.continues,
        follows=last_word(tokenizer, tokens) if prompt.continue_final_message else None,
        thinking_budget=effort.budget,
        ignored=(
            *(["reasoning_effort"] if effort.is_ignored else []),
            *(f"chat_template_kwargs.{name}" for name in unread),
        ),
        text=text,
    )


def _offered(prompt: ChatPrompt) -> ToolUse | None:
    tools = prompt.tools
    return None if tools is None or tools.mode is ToolMode.NONE else tools


@dataclass(frozen=True, slots=True)
class _Page:
    """Where one request's conversation is written down."""

    tokenizer: Tokenizer
    tools: ToolUse | None
    traits: TemplateTraits
    options: dict[str, Any]
    tags: tuple[str, str]

    def written(self, prompt: ChatPrompt, system_prompt: str) -> _Text:
        messages = with_system_prompt(prompt.messages, system_prompt)
        if not prompt.continue_final_message:
            is_open = not prompt.add_generation_prompt
            return self._conversation(messages, is_open=is_open)
        last = continued(messages, self.tags)
        if last.is_empty and last.earlier:
            return self._conversation(last.earlier)
        return self._continued(last)

    def _continued(self, last: Continued) -> _Text:
        try:
            found = self._conversation(last.marked, is_open=True, also_shown=(MARK,))
        except InvalidRequestError:
            if not last.earlier:
                raise
            found = None
        if found is not None and MARK in found.text:
            text, warnings = last.cut(found.text)
            attempt = found.attempt
        elif last.earlier:
            found = self._conversation(last.earlier)
            text, warnings = last.after(found.text), ()
            attempt = found.attempt
        else:
            raise self.refused(ValueError("nothing of them comes out"))
        return _Text(
            text=text,
            attempt=replace(attempt, warnings=(*attempt.warnings, *warnings)),
            opens_thinking=last.is_thinking,
            continues=not last.is_thinking,
        )

    def _conversation(
        self,
        messages: tuple[ChatMessage, ...],
        *,
        is_open: bool = False,
        also_shown: tuple[str, ...] = (),
    ) -> _Text:
        """Return the first rendering that loses nothing, else the first there is."""
        refusal: Exception | None = None
        lossy: _Text | None = None
        tools: dict[str, Any] = {}
        if self.tools is not None:
            tools[self.traits.tools_key] = tool_objects(self.tools.tools)
        for attempt in attempts(messages, self.tools, self.traits):
            given = self.options if attempt.is_written else self.options | tools
            try:
                text = self._rendered(attempt.turns, given, is_open=is_open)
            except _REFUSALS as error:
                refusal = refusal or error
                continue
            if all(said in text for said in (*attempt.must_show, *also_shown)):
                return _Text(text, attempt)
            lossy = lossy or _Text(text, attempt)
        if lossy is None:
            raise self.refused(refusal) from refusal
        lost = (
            () if all(it in lossy.text for it in lossy.attempt.must_show) else (_LOST,)
        )
        warnings = (*lossy.attempt.warnings, *lost)
        return replace(lossy, attempt=replace(lossy.attempt, warnings=warnings))

    def refused(self, refusal: Exception | None) -> InvalidRequestError:
        """Return what the client is told, in the words of the template."""
        is_memory = isinstance(refusal, MemoryError)
        why = "there is not enough memory for it" if is_memory else str(refusal)
        told = self.traits.control.unmarked(why)
        reason = " ".join(told.split())[:_REASON_CHARS]
        return InvalidRequestError(
            f"The model's chat template refuses these messages: {reason}",
            param="messages",
        )

    def _rendered(
        self, turns: list[dict[str, Any]], options: dict[str, Any], *, is_open: bool
    ) -> str:
        if not self.tokenizer.has_chat_template:
            return _plain_transcript(turns, is_open=is_open)
        return text_of(self.tokenizer, turns, is_open=is_open, **options)


def last_word(tokenizer: Tokenizer, tokens: list[int]) -> int | None:
    """Return the last token that is a plain word; `None`: there is none nearby."""
    for token in reversed(tokens[-_WORD_WITHIN:]):
        text = tokenizer.decode([token])
        if text.strip().isalnum() and text.isascii() and text == text.rstrip():
            return token
    return None


def _plain_transcript(turns: list[dict[str, Any]], *, is_open: bool) -> str:
    """Return the prompt for a model without a template: roles as plain words."""
    lines = [f"{turn['role'].capitalize()}: {turn['content']}" for turn in turns]
    return "\n\n".join([*lines, *([] if is_open else ["Assistant:"])])
