"""A request for embeddings becomes inputs and how to answer, or a 400."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from inference.core.encoding import Embed, EncoderRequest
from inference.protocol.body import read_body
from inference.protocol.encoder_parameters import EmbeddingsRequestBody
from inference.protocol.recorded import recorded_params, shown_names

if TYPE_CHECKING:
    from inference.core.limits import Limits

# What the record keeps elsewhere, or not at all.
_UNRECORDED = ("input", "model")


def to_request(
    body: dict[str, Any], *, limits: Limits, strict: bool = False
) -> tuple[EncoderRequest[Embed], bool]:
    """Validate `body`; also return whether vectors are told in base64.

    Raises:
        InvalidRequestError: names the first parameter that cannot be honoured;
            where `strict`, also all those that nobody knows.
    """
    asked, ignored = read_body(EmbeddingsRequestBody, body, limits=limits)
    sent = body["input"]
    work = Embed(
        inputs=asked.input,
        dimensions=asked.dimensions,
        truncate_to=asked.truncate_prompt_tokens,
        is_single=isinstance(sent, str) or isinstance(sent[0], int),
    )
    request = EncoderRequest(
        work=work,
        model=asked.model,
        params=recorded_params(
            EmbeddingsRequestBody,
            body,
            ignored=shown_names(ignored, strict=strict),
            leaving_out=_UNRECORDED,
        ),
    )
    return request, asked.encoding_format == "base64"
