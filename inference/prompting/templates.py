"""From messages to prompt tokens by the model's own chat template."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

from jinja2 import TemplateError

from inference.core.errors import (
    InvalidRequestError,
    UnsupportedParameterError,
)
from inference.core.requests import ToolMode
from inference.images.parts import refuse_images
from inference.prompting.attempts import attempts
from inference.prompting.turns import tool_objects, with_system_prompt

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from inference.core.frames import PreparePrompt
    from inference.prompting.attempts import Attempt
    from inference.prompting.traits import TemplateTraits

_USUAL_EFFORT = "medium"
_USUAL_TOGGLE = "enable_thinking"
_REASON_CHARS = 500
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


class Tokenizer(Protocol):
    """The part of a tokenizer that prompting needs."""

    has_chat_template: bool

    def apply_chat_template(self, messages: Any, **options: Any) -> Any:
        """Render messages, to text or to token ids."""

    def encode(self, text: str, **options: Any) -> list[int]:
        """Turn text into token ids."""


@dataclass(frozen=True, slots=True)
class RenderedPrompt:
    """A prompt's tokens, never empty.

    `opens_thinking`: they end inside the model's thinking. `uses_fallback_tools`:
    its tools were explained in words, because its template knows none.
    """

    tokens: list[int]
    opens_thinking: bool = False
    uses_fallback_tools: bool = False
    warnings: tuple[str, ...] = ()


def render(
    tokenizer: Tokenizer,
    command: PreparePrompt,
    traits: TemplateTraits,
    *,
    think_start: str | None,
    system_prompt: str = "",
) -> RenderedPrompt:
    """Render a prompt with the tokenizer's template.

    `think_start` is the tag that begins the model's thinking, if it thinks.
    `system_prompt` is what a conversation without a system message gets. Messages
    that the template refuses, or loses, are changed as little as it takes, and the
    warnings say how.

    Raises:
        VisionNotSupportedError: a message carries an image.
        UnsupportedParameterError: the template knows no such reasoning effort.
        InvalidRequestError: the template refuses these messages.
    """
    refuse_images(command.messages)
    tools = command.tools
    if tools is not None and tools.mode is ToolMode.NONE:
        tools = None
    messages = with_system_prompt(command.messages, system_prompt)
    text, attempt = _first_that_fits(
        tokenizer,
        attempts(messages, tools, traits),
        options=_options_of(command, traits, thinks=think_start is not None),
        native={} if tools is None else {"tools": tool_objects(tools.tools)},
    )
    # A template has written the special tokens already.
    special = {"add_special_tokens": False} if tokenizer.has_chat_template else {}
    tokens = list(tokenizer.encode(text, **special))
    if not tokens:
        raise InvalidRequestError("The prompt is empty.", param="messages")
    return RenderedPrompt(
        tokens=tokens,
        opens_thinking=bool(think_start and text.rstrip().endswith(think_start)),
        uses_fallback_tools=tools is not None and attempt.is_written,
        warnings=attempt.warnings,
    )


def _first_that_fits(
    tokenizer: Tokenizer,
    tries: Iterator[Attempt],
    *,
    options: dict[str, Any],
    native: dict[str, Any],
) -> tuple[str, Attempt]:
    """Return the first rendering that loses nothing, else the first there is."""
    refusal: Exception | None = None
    lossy: tuple[str, Attempt] | None = None
    for attempt in tries:
        given = options if attempt.is_written else options | native
        try:
            text = _text_of(tokenizer, attempt.turns, given)
        except _REFUSALS as error:
            refusal = refusal or error
            continue
        if all(said in text for said in attempt.must_show):
            return text, attempt
        lossy = lossy or (text, attempt)
    if lossy is not None:
        text, attempt = lossy
        return text, replace(attempt, warnings=(*attempt.warnings, _LOST))
    reason = " ".join(str(refusal).split())[:_REASON_CHARS]
    raise InvalidRequestError(
        f"The model's chat template refuses these messages: {reason}",
        param="messages",
    ) from refusal


def _text_of(
    tokenizer: Tokenizer, turns: list[dict[str, Any]], options: dict[str, Any]
) -> str:
    if not tokenizer.has_chat_template:
        return _plain_transcript(turns)
    text: str = tokenizer.apply_chat_template(
        turns, tokenize=False, add_generation_prompt=True, **options
    )
    return text


def _plain_transcript(turns: list[dict[str, Any]]) -> str:
    """Return the prompt for a model without a template: roles as plain words."""
    lines = [f"{turn['role'].capitalize()}: {turn['content']}" for turn in turns]
    return "\n\n".join([*lines, "Assistant:"])


def _options_of(
    command: PreparePrompt, traits: TemplateTraits, *, thinks: bool
) -> dict[str, Any]:
    # mlx-lm turns thinking off where it does not know the model's tags itself.
    usual = {_USUAL_TOGGLE: True} if thinks and traits.toggle == _USUAL_TOGGLE else {}
    effort = _effort_options(command.reasoning_effort, traits, thinks=thinks)
    return {**usual, **command.template_kwargs, **effort}


def _effort_options(
    effort: str | None, traits: TemplateTraits, *, thinks: bool
) -> Mapping[str, Any]:
    if effort is None:
        return {}
    if traits.knows_effort:
        return {"reasoning_effort": effort}
    if effort == "none" and traits.toggle:
        return {traits.toggle: False}
    if effort == _USUAL_EFFORT or (effort == "none" and not thinks):
        return {}
    known = [*(["none"] if traits.toggle or not thinks else []), _USUAL_EFFORT]
    names = " and ".join(f"'{name}'" for name in known)
    raise UnsupportedParameterError(
        f"Unsupported parameter: 'reasoning_effort' '{effort}' means nothing to this "
        f"model's template. It takes {names}.",
        param="reasoning_effort",
    )
