"""What every body that asks for an answer has: the model, the stream, the sampler.

`GenerationBody` is the base of such a body; `to_sampling` reads the sampler's part.
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Struct

from inference.core.requests import SamplingRequest
from inference.protocol import faults
from inference.protocol.coercions import DECIMAL, TOKENS, WHOLE
from inference.protocol.declared import Bound, ErrorWords, Reads, Said, Standing
from inference.protocol.readings import to_biases, to_stops
from inference.protocol.stream_options import StreamOptions
from inference.protocol.structure import (
    GuidedChoice,
    GuidedGrammar,
    GuidedJSON,
    GuidedRegex,
    ResponseFormat,
    StructuredOutputs,
)

_Stop = Annotated[str, Bound(min_length=1, max_length="stop_chars")]
_Share = Bound(ge=0, le=1)
_Tokens = Bound(ge=0, le="max_tokens")


class StreamOptionsBody(Struct):
    """How to stream."""

    include_usage: Annotated[
        bool | None,
        Said("A last chunk carries the usage of the request.", absent="`false`"),
    ] = None
    continuous_usage_stats: Annotated[
        bool | None,
        Said(
            "Every chunk carries the usage so far; implies `include_usage`.",
            absent="`false`",
        ),
    ] = None
    include_obfuscation: Annotated[
        bool | None,
        Said("Nothing is obfuscated here.", standing=Standing.NO_EFFECT),
    ] = None


def to_stream_options(sent: StreamOptionsBody | None) -> StreamOptions:
    """Return how a client wants its stream, with every default filled in."""
    sent = sent or StreamOptionsBody()
    is_continuous = bool(sent.continuous_usage_stats)
    return StreamOptions(is_continuous or bool(sent.include_usage), is_continuous)


# Said alike by bodies that are no `GenerationBody`, too.
ModelName = Annotated[
    str | None,
    Bound(min_length=1, max_length="model_name_chars"),
    Said(
        "Which model answers.",
        absent="the server's default model",
        refuses="a model that is not served: 404",
    ),
]


class GenerationBody(Struct, kw_only=True):
    """What a request for an answer may carry, whatever it answers."""

    model: ModelName = None

    # Streaming.
    stream: Annotated[bool, Said("Answer as server-sent events.", absent="`false`")] = (
        False
    )
    stream_options: Annotated[
        StreamOptionsBody | None, Said("How to stream; ignored without `stream`.")
    ] = None

    # Sampling.
    temperature: Annotated[
        float | None,
        DECIMAL,
        Bound(ge=0, le="temperature"),
        Said("0: always the likeliest.", absent="the model's"),
    ] = None
    top_p: Annotated[
        float | None,
        DECIMAL,
        _Share,
        Said(
            "Sample among the likeliest tokens that reach this share. 1: off. "
            "0: always the likeliest.",
            absent="the model's",
        ),
    ] = None
    top_k: Annotated[
        int | None,
        WHOLE,
        Bound(ge=-1, le="top_k"),
        Said(
            "Sample among so many likeliest tokens. 0 or -1: off.",
            absent="the model's",
        ),
    ] = None
    min_p: Annotated[
        float | None,
        DECIMAL,
        _Share,
        Said(
            "No token below this share of the likeliest one's. 0: off.",
            absent="the model's",
        ),
    ] = None
    xtc_probability: Annotated[
        float,
        DECIMAL,
        _Share,
        Said(
            "How often all but the least of the tokens above `xtc_threshold` "
            "are left out. 0: off.",
            absent="0",
        ),
    ] = 0.0
    xtc_threshold: Annotated[
        float,
        DECIMAL,
        Bound(ge=0, le=0.5),
        Said("See `xtc_probability`, without which it rests.", absent="0.1"),
    ] = 0.1
    seed: Annotated[
        int | None,
        WHOLE,
        Bound(ge=-(2**63), le="seed_abs"),
        Said("Makes sampling repeatable.", absent="random"),
    ] = None
    presence_penalty: Annotated[
        float,
        DECIMAL,
        Bound(ge=-2, le=2),
        Said("Taken once from each token of the answer so far.", absent="0"),
    ] = 0.0
    frequency_penalty: Annotated[
        float,
        DECIMAL,
        Bound(ge=-2, le=2),
        Said("Taken as often as the answer has the token.", absent="0"),
    ] = 0.0
    repetition_penalty: Annotated[
        float | None,
        DECIMAL,
        Bound(gt=0, le=2),
        Said(
            "Divides the logits of tokens in prompt and answer. 1: off.",
            absent="the model's",
        ),
    ] = None
    logit_bias: Annotated[
        tuple[tuple[int, float], ...],
        Reads(
            Annotated[
                dict[str, Annotated[float, Bound(ge=-100, le=100)]],
                Bound(
                    max_length="logit_bias",
                    extra_json_schema={"propertyNames": {"pattern": "^[0-9]+$"}},
                ),
                ErrorWords(
                    "an object of token ids and biases",
                    key="'{}'",
                    many="tokens",
                    many_code="object_above_max_properties",
                ),
            ],
            to_biases,
        ),
        Said(
            "Added to the logits of these token ids.",
            takes="object of up to {0.logit_bias:,} token ids, each with -100 to 100",
        ),
    ] = ()
    n: Annotated[
        int,
        WHOLE,
        Bound(ge=1, le="choices"),
        Said(
            "Choices, sampled independently.",
            absent="1",
            refuses="more than the model has seats",
        ),
    ] = 1
    logprobs: Annotated[
        bool, Said("Tell the log probability of each token.", absent="`false`")
    ] = False
    top_logprobs: Annotated[
        int,
        WHOLE,
        Bound(ge=0, le=20),
        Said(
            "Tell so many likeliest tokens at each place.",
            absent="0",
            refuses="above 0 without `logprobs`",
        ),
    ] = 0

    # The end of the answer.
    max_tokens: Annotated[
        int | None,
        TOKENS,
        Bound(ge=1, le="max_tokens"),
        Said(
            "Most completion tokens, cut to what the context leaves.",
            absent="the server's default",
        ),
    ] = None
    max_completion_tokens: Annotated[
        int | None,
        TOKENS,
        Bound(ge=1, le="max_tokens"),
        Said("The same; wins over `max_tokens`."),
    ] = None
    min_tokens: Annotated[
        int,
        WHOLE,
        _Tokens,
        Said("No end token before so many tokens.", absent="0"),
    ] = 0
    stop: Annotated[
        tuple[str, ...],
        Reads(_Stop | Annotated[list[_Stop], Bound(max_length="stops")], to_stops),
        Said(
            "Text that ends the answer and is not shown.",
            takes="string, or array of up to {0.stops}; 1 to {0.stop_chars} "
            "characters each",
        ),
    ] = ()
    stop_token_ids: Annotated[
        tuple[Annotated[int, Bound(ge=0, le="token_id")], ...],
        Bound(max_length="stop_token_ids"),
        ErrorWords("an array of token ids"),
        Said(
            "Further tokens that end the answer.",
            takes="array of up to {0.stop_token_ids} token ids",
        ),
    ] = ()
    ignore_eos: Annotated[
        bool, Said("The end token does not end.", absent="`false`")
    ] = False

    # Structured output.
    response_format: ResponseFormat = None
    structured_outputs: StructuredOutputs = None
    guided_json: GuidedJSON = None
    guided_regex: GuidedRegex = None
    guided_choice: GuidedChoice = None
    guided_grammar: GuidedGrammar = None


def without_meaning(body: GenerationBody) -> list[str]:
    """Return the parameters that say nothing beside what else was sent."""
    is_idle = body.stream_options is not None and not body.stream
    return ["stream_options"] if is_idle else []


_SAME_NAMES = frozenset(SamplingRequest.__struct_fields__)


def to_sampling(body: GenerationBody) -> SamplingRequest:
    """Return what a body asks of the sampler.

    Raises:
        InvalidRequestError: something makes sense only beside what was not sent.
    """
    if body.top_logprobs and not body.logprobs:
        raise faults.invalid("top_logprobs", "only allowed when 'logprobs' is true.")
    asked = {
        name: getattr(body, name)
        for name in body.__struct_fields__
        if name in _SAME_NAMES
    }
    if body.top_k is not None:
        asked["top_k"] = max(body.top_k, 0)
    if body.top_p == 0:
        asked |= {"top_p": None, "temperature": 0.0}
    if body.max_completion_tokens is not None:
        asked["max_tokens"] = body.max_completion_tokens
    asked["logprobs"] = body.top_logprobs if body.logprobs else None
    return SamplingRequest(**asked)
