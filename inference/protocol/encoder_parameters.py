"""What a request for embeddings, or for a ranking, may carry."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec

from inference.core.encoding import CUT_TO_FIT
from inference.core.requests import TextPrompt, TokenPrompt
from inference.protocol import faults
from inference.protocol.declared import Bound, ErrorWords, Reads, Said, Standing
from inference.protocol.texts import Text, TextsOrTokens, to_prompts

if TYPE_CHECKING:
    from inference.core.limits import Limits


def _to_inputs(
    sent: Any, path: str, limits: Limits
) -> tuple[TextPrompt | TokenPrompt, ...]:
    inputs = to_prompts(sent, path, limits)
    if len(inputs) > limits.inputs:
        raise faults.too_long(
            path, limit=limits.inputs, length=len(inputs), what="array"
        )
    for place, each in enumerate(inputs):
        if isinstance(each, TextPrompt) and not each.text:
            where = path if isinstance(sent, str) else f"{path}[{place}]"
            raise faults.empty(where, what="string")
    return inputs


def _to_tokens(sent: int, path: str, limits: Limits) -> int:
    if sent == 0:
        why = f"expected a number of tokens, or {CUT_TO_FIT} for as many as fit."
        raise faults.invalid(path, why)
    return sent


class DocumentBody(msgspec.Struct):
    """A document: its text."""

    text: str


def _to_documents(
    sent: list[str | DocumentBody], path: str, limits: Limits
) -> tuple[str, ...]:
    texts = []
    for place, each in enumerate(sent):
        text = each if isinstance(each, str) else each.text
        if not text:
            where = f"{path}[{place}]" + ("" if isinstance(each, str) else ".text")
            raise faults.empty(where, what="string")
        texts.append(text)
    return tuple(texts)


_Model = Annotated[
    str | None,
    Bound(min_length=1, max_length="model_name_chars"),
    Said(
        "Which model answers.",
        absent="the server's default model",
        refuses="a model that is not served: 404; one of another kind: 400",
    ),
]
_Truncation = Annotated[
    int | None,
    Reads(
        Annotated[int, Bound(ge=CUT_TO_FIT, le="max_tokens")],
        _to_tokens,
    ),
    Said(
        "Cut what has more tokens, at its end; `-1`: to what the model reads. How many "
        "were cut is a warning of the row.",
        absent="nothing is cut, and what is too long is a 400",
        refuses="0",
    ),
]
_User = Annotated[
    str | None,
    Bound(max_length=512),
    Said("Kept in the record.", standing=Standing.NO_EFFECT),
]


class EmbeddingsRequestBody(msgspec.Struct, kw_only=True):
    """Everything a request for embeddings may carry; other names are ignored."""

    input: Annotated[
        tuple[TextPrompt | TokenPrompt, ...],
        Reads(
            Text
            | Annotated[TextsOrTokens, Bound(min_length=1, max_length="json_elements")],
            _to_inputs,
        ),
        ErrorWords("a string, an array of strings, or token ids"),
        Said(
            "What to make vectors of: one text or list of token ids, or several.",
            absent="a 400",
            takes="string, array of strings, array of token ids, array of these: up to "
            "{0.inputs:,}, of {0.input_tokens:,} tokens together",
            refuses="an empty input, one that is longer than the model reads",
        ),
    ]
    model: _Model = None
    encoding_format: Annotated[
        Literal["float", "base64"],
        Said(
            "Numbers, or the bytes of little-endian float32 in base64.",
            absent='`"float"`',
        ),
    ] = "float"
    dimensions: Annotated[
        int | None,
        Bound(ge=1, le="dimensions"),
        Said(
            "Cut vectors to so many numbers.",
            absent="all of them",
            refuses="what the model was not trained for",
        ),
    ] = None
    truncate_prompt_tokens: _Truncation = None
    user: _User = None


class RerankRequestBody(msgspec.Struct, kw_only=True):
    """Everything a request for a ranking may carry; other names are ignored."""

    query: Annotated[
        str,
        Bound(min_length=1, max_length="text_chars"),
        Said("What the documents are ranked by.", absent="a 400"),
    ]
    documents: Annotated[
        tuple[str, ...],
        Reads(
            Annotated[
                list[str | DocumentBody], Bound(min_length=1, max_length="documents")
            ],
            _to_documents,
        ),
        ErrorWords("an array of strings, or of objects with a text"),
        Said(
            "What is ranked.",
            absent="a 400",
            takes="array of 1 to {0.documents:,} strings, or of objects with `text`",
            refuses="an empty document, one that is longer than the model reads",
        ),
    ]
    model: _Model = None
    top_n: Annotated[
        int | None,
        Bound(ge=1, le="max_tokens"),
        Said("Tell of the best so many.", absent="all"),
    ] = None
    return_documents: Annotated[
        bool, Said("Tell the text of each document, too.", absent="`false`")
    ] = False
    truncate_prompt_tokens: _Truncation = None
    user: _User = None
