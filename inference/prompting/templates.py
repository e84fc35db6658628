"""From messages to prompt tokens by the model's own chat template."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from jinja2 import TemplateError

from inference.core.errors import InvalidRequestError, VisionNotSupportedError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from inference.core.requests import ChatMessage


class Tokenizer(Protocol):
    """The part of a tokenizer that prompting needs."""

    has_chat_template: bool

    def apply_chat_template(self, messages: Any, **options: Any) -> Any:
        """Render messages, to text or to token ids."""

    def encode(self, text: str, **options: Any) -> list[int]:
        """Turn text into token ids."""


def to_prompt_tokens(
    tokenizer: Tokenizer, messages: Sequence[ChatMessage]
) -> list[int]:
    """Render `messages` with the tokenizer's template; never returns an empty list.

    Raises:
        VisionNotSupportedError: a message carries an image.
        InvalidRequestError: the template refuses these messages.
    """
    turns = [_to_turn(message, at) for at, message in enumerate(messages)]
    if tokenizer.has_chat_template:
        tokens = _render(tokenizer, turns)
    else:
        tokens = tokenizer.encode(_plain_transcript(turns))
    if not tokens:
        raise InvalidRequestError("The prompt is empty.", param="messages")
    return list(tokens)


def _to_turn(message: ChatMessage, at: int) -> dict[str, str]:
    if message.has_images:
        raise VisionNotSupportedError(
            "Vision requests are not supported with text-only models",
            param=f"messages[{at}].content",
        )
    # Templates know "system"; OpenAI renamed it for newer models.
    role = "system" if message.role == "developer" else message.role
    turn = {"role": role, "content": message.text}
    if message.name:
        turn["name"] = message.name
    return turn


def _render(tokenizer: Tokenizer, turns: list[dict[str, str]]) -> list[int]:
    try:
        rendered = tokenizer.apply_chat_template(
            turns, tokenize=True, add_generation_prompt=True
        )
    except (TemplateError, TypeError, ValueError, LookupError) as error:
        raise InvalidRequestError(
            f"The model's chat template refuses these messages: {error}",
            param="messages",
        ) from error
    return list(rendered)


def _plain_transcript(turns: list[dict[str, str]]) -> str:
    """Return the prompt for a model without a template: roles as plain words."""
    lines = [f"{turn['role'].capitalize()}: {turn['content']}" for turn in turns]
    return "\n\n".join([*lines, "Assistant:"])
