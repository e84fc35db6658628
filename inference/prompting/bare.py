"""Prompts that no template turns into text: they reach the model as they stand."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from inference.core.errors import InvalidRequestError
from inference.prompting.templates import RenderedPrompt, last_word

if TYPE_CHECKING:
    from inference.core.requests import TextPrompt
    from inference.prompting.rendering import Tokenizer
    from inference.prompting.templates import PromptEncoder


def read_text(
    encoder: PromptEncoder, tokenizer: Tokenizer, prompt: TextPrompt
) -> RenderedPrompt:
    """Return the tokens of a text, and where it says so those put around it.

    Whoever sends a bare text writes the model's control tokens too.

    Raises:
        InvalidRequestError: it has none, or is too long.
    """
    encoder.admit(prompt.text)
    special = {} if prompt.adds_special else {"add_special_tokens": False}
    tokens = list(encoder.encode(prompt.text, **special))
    return replace(_prompt_of(tokenizer, tokens), text=prompt.text)


def read_tokens(
    tokenizer: Tokenizer, tokens: tuple[int, ...], *, vocabulary: int
) -> RenderedPrompt:
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
    prompt = _prompt_of(tokenizer, list(tokens))
    return replace(prompt, text=tokenizer.decode(prompt.tokens))


def _prompt_of(tokenizer: Tokenizer, tokens: list[int]) -> RenderedPrompt:
    if not tokens:
        raise InvalidRequestError("The prompt is empty.", param="prompt")
    # What follows goes on from its last word: a blank before it shows.
    return RenderedPrompt(tokens, continues=True, follows=last_word(tokenizer, tokens))
