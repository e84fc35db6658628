"""What a completion request may carry, beside what all requests for answers may."""

from __future__ import annotations

from typing import Annotated

from inference.core.requests import Prompt
from inference.protocol.declared import (
    Bound,
    ErrorWords,
    Reads,
    Refused,
    Said,
    Standing,
)
from inference.protocol.objects import Metadata
from inference.protocol.sampling_fields import GenerationBody
from inference.protocol.texts import Text, TextsOrTokens, to_prompts

DEFAULT_TOKENS = 16


class CompletionRequestBody(GenerationBody, kw_only=True):
    """Everything a completion request may carry; other names are ignored and listed."""

    prompt: Annotated[
        tuple[Prompt, ...],
        Reads(
            Text | Annotated[TextsOrTokens, Bound(min_length=1, max_length="token_id")],
            to_prompts,
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
