"""What OpenAI's answers have in common: usage, thinking, log-probabilities."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    from inference.core.requests import TokenLogprob, Usage

# JSON has no minus infinity; OpenAI writes this one for it.
LEAST_LOGPROB = -9999.0


def usage_body(usage: Usage) -> dict[str, Any]:
    """Token counts in OpenAI's shape."""
    return {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "total_tokens": usage.total_tokens,
        "prompt_tokens_details": {"cached_tokens": usage.cached_tokens},
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
    }


def reasoning_body(text: str) -> dict[str, str]:
    """Thinking under both names that clients read."""
    return {"reasoning_content": text, "reasoning": text}


def logprobs_body(tokens: Iterable[TokenLogprob]) -> dict[str, Any]:
    """The log probabilities of an answer's tokens."""
    return {"content": logprob_bodies(tokens), "refusal": None}


def logprob_bodies(tokens: Iterable[TokenLogprob]) -> list[dict[str, Any]]:
    """The log probability of each token, and the likeliest at its place."""
    return [
        _token_body(token.token, token.logprob)
        | {"top_logprobs": [_token_body(top.token, top.logprob) for top in token.top]}
        for token in tokens
    ]


def _token_body(token: bytes, logprob: float) -> dict[str, Any]:
    return {
        "token": token.decode("utf-8", "replace"),
        "logprob": max(logprob, LEAST_LOGPROB),
        "bytes": list(token),
    }
