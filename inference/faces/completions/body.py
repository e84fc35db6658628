"""A completion request's body becomes prompts and how to go on from them, or a 400."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from inference.core.requests import Generate, InferenceRequest
from inference.protocol import faults
from inference.protocol.body import read_body
from inference.protocol.completion_parameters import (
    DEFAULT_TOKENS,
    CompletionRequestBody,
)
from inference.protocol.recorded import recorded_params, shown_names
from inference.protocol.sampling_fields import (
    to_sampling,
    to_stream_options,
    without_meaning,
)
from inference.protocol.structure import grammars_of, to_grammar

if TYPE_CHECKING:
    from inference.core.limits import Limits
    from inference.protocol.stream_options import StreamOptions

# What the record keeps elsewhere, or not at all.
_UNRECORDED = ("prompt", "suffix", "model")


def to_request(
    body: dict[str, Any], *, limits: Limits, strict: bool = False
) -> tuple[InferenceRequest, StreamOptions]:
    """Validate `body`; names nobody knows end up in `params["ignored"]`.

    Raises:
        InvalidRequestError: names the first parameter that cannot be honoured;
            where `strict`, also all those that nobody knows.
    """
    asked, ignored = read_body(CompletionRequestBody, body, limits=limits)
    ignored += without_meaning(asked)
    _check(asked)
    options = to_stream_options(asked.stream_options)
    most = DEFAULT_TOKENS if asked.max_tokens is None else asked.max_tokens
    if asked.max_completion_tokens is not None:
        most = asked.max_completion_tokens
    sampling = msgspec.structs.replace(
        to_sampling(asked), max_tokens=most, logprobs=asked.logprobs
    )
    work = Generate(
        prompts=asked.prompt,
        sampling=sampling,
        n=asked.n,
        grammar=to_grammar(grammars_of(asked, body)),
        continuous_usage=options.continuous_usage,
        echo=asked.echo,
        prompt_logprobs=asked.logprobs if asked.echo else None,
    )
    request = InferenceRequest(
        work=work,
        model=asked.model,
        stream=asked.stream,
        params=recorded_params(
            CompletionRequestBody,
            body,
            ignored=shown_names(ignored, strict=strict),
            leaving_out=_UNRECORDED,
        ),
    )
    return request, options


def _check(asked: CompletionRequestBody) -> None:
    """Refuse what would give another answer than the one that was asked for."""
    if asked.best_of is not None and asked.best_of > asked.n:
        raise faults.unsupported("best_of", f"above 'n' ({asked.n}) is not supported.")
    if asked.max_tokens == 0 and not asked.echo:
        raise faults.invalid("max_tokens", "0 is only allowed with 'echo'.")
