"""The grammar of bare texts: a text, texts, token ids, or lists of these."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from inference.core.requests import TextPrompt, TokenPrompt
from inference.protocol import faults
from inference.protocol.declared import Bound
from inference.protocol.readings import to_token_ids

if TYPE_CHECKING:
    from inference.core.limits import Limits

Text = Annotated[str, Bound(max_length="text_chars")]
TextsOrTokens = list[str | int | list[int]]


def to_prompts(
    sent: Any, path: str, limits: Limits
) -> tuple[TextPrompt | TokenPrompt, ...]:
    """Return prompts of a text, texts, token ids, or lists of these."""
    if isinstance(sent, str):
        return (TextPrompt(sent),)
    if isinstance(sent[0], int):
        return (TokenPrompt(to_token_ids(sent, path, limits)),)
    prompts: list[TextPrompt | TokenPrompt] = []
    for place, each in enumerate(sent):
        where = f"{path}[{place}]"
        if type(each) is not type(sent[0]):
            raise faults.invalid(where, "texts and token ids cannot be mixed.")
        if isinstance(each, str):
            prompts.append(TextPrompt(each))
        else:
            prompts.append(TokenPrompt(to_token_ids(each, where, limits)))
    return tuple(prompts)
