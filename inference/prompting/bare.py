"""Prompts that no template turns into text: they reach the model as they stand."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inference.core.errors import InvalidRequestError
from inference.prompting.templates import RenderedPrompt

if TYPE_CHECKING:
    from inference.prompting.templates import PromptEncoder


def read_text(encoder: PromptEncoder, text: str) -> RenderedPrompt:
    """Return the tokens of a text, with those that the tokenizer puts around it.

    Whoever sends a bare text writes the model's control tokens too.

    Raises:
        InvalidRequestError: it has none, or is too long.
    """
    encoder.admit(text)
    return _prompt_of(list(encoder.encode(text)))


def read_tokens(tokens: tuple[int, ...], *, vocabulary: int) -> RenderedPrompt:
    """Return token ids as a prompt.

    Raises:
        InvalidRequestError: there are none, or the model has no such token.
    """
    unknown = next((token for token in tokens if token >= vocabulary), None)
    if unknown is not None:
        raise InvalidRequestError(
            f"Token {unknown} does not exist: this model has {vocabulary} tokens.",
            param="prompt",
        )
    return _prompt_of(list(tokens))


def _prompt_of(tokens: list[int]) -> RenderedPrompt:
    if not tokens:
        raise InvalidRequestError("The prompt is empty.", param="prompt")
    return RenderedPrompt(tokens)
