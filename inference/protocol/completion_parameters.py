"""What a completion request may carry, beside what all requests for answers may."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from inference.core.requests import Prompt, TextPrompt, TokenPrompt
from inference.protocol import faults
from inference.protocol.declared import (
    Bound,
    ErrorWords,
    Reads,
    Refused,
    Said,
    Standing,
)
from inference.protocol.objects import Metadata
from inference.protocol.readings import to_token_ids
from inference.protocol.sampling_fields import GenerationBody

if TYPE_CHECKING:
    from inference.core.limits import Limits

DEFAULT_TOKENS = 16


def _to_prompts(sent: Any, path: str, limits: Limits) -> tuple[Prompt, ...]:
    """Return prompts of a text, texts, token ids, or lists of these."""
    if isinstance(sent, str):
        return (TextPrompt(sent),)
    if isinstance(sent[0], int):
        return (TokenPrompt(to_token_ids(sent, path, limits)),)
    prompts: list[Prompt] = []
    for place, each in enumerate(sent):
        where = f"{path}[{place}]"
        if type(each) is not type(sent[0]):
            raise faults.invalid(where, "texts and token ids cannot be mixed.")
        if isinstance(each, str):
            prompts.append(TextPrompt(each))
        else:
            prompts.append(TokenPrompt(to_token_ids(each, where, limits)))
    return tuple(prompts)


_Text = Annotated[str, Bound(max_length="text_chars")]


class CompletionRequestBody(GenerationBody, kw_only=True):
    """Everything a completion request may carry; other names are ignored and listed."""

    prompt: Annotated[
        tuple[Prompt, ...],
        Reads(
            _Text
            | Annotated[
                list[str | int | list[int]],
                Bound(min_length=1, max_length="token_id"),
            ],
            _to_prompts,
        ),
        ErrorWords("a string, an array of strings, or token ids"),
        Said(
            "What to go on from, without a template; each text or list of token ids is "
            "a prompt of its own.",
            absent="a 400",
            takes="string, array of strings, array of token ids, array of these",
        ),
    ]
    max_tokens: Annotated[
        int | None,
        Bound(ge=0, le="max_tokens"),
        Said(
            "Most completion tokens, cut to what the context leaves.",
            absent=str(DEFAULT_TOKENS),
            refuses="0 without `echo`",
        ),
    ] = None
    logprobs: Annotated[
        int | None,
        Bound(ge=0, le=20),
        Said("Tell the log probability of each token, and so many likeliest others."),
    ] = None  # type: ignore[assignment]
    echo: Annotated[
        bool,
        Said(
            "The text begins with the prompt; with `logprobs`, told of its tokens too.",
            absent="`false`",
        ),
    ] = False
    best_of: Annotated[
        int | None,
        Bound(ge=1, le="choices"),
        Said("Only `n` answers are made.", refuses="more than `n`"),
    ] = None
    suffix: Annotated[
        None, Refused("Infilling is not offered.", kinds=(str,), passing=('""',))
    ] = None
    user: Annotated[
        str | None,
        Bound(max_length=512),
        Said("Kept in the record.", standing=Standing.NO_EFFECT),
    ] = None
    metadata: Metadata = {}
