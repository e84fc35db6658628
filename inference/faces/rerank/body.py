"""A request for a ranking becomes a query, documents and how to answer, or a 400."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from inference.core.encoding import EncoderRequest, Rerank
from inference.protocol.body import read_body
from inference.protocol.encoder_parameters import RerankRequestBody
from inference.protocol.recorded import recorded_params, shown_names

if TYPE_CHECKING:
    from inference.core.limits import Limits

# What the record keeps elsewhere, or not at all.
_UNRECORDED = ("query", "documents", "model")


class HowToRank(NamedTuple):
    """How many documents are told of, and whether with their texts."""

    top_n: int | None
    tells_texts: bool


def to_request(
    body: dict[str, Any], *, limits: Limits, strict: bool = False
) -> tuple[EncoderRequest[Rerank], HowToRank]:
    """Validate `body`; names nobody knows end up in `params["ignored"]`.

    Raises:
        InvalidRequestError: names the first parameter that cannot be honoured;
            where `strict`, also all those that nobody knows.
    """
    asked, ignored = read_body(RerankRequestBody, body, limits=limits)
    work = Rerank(
        query=asked.query,
        documents=asked.documents,
        truncate_to=asked.truncate_prompt_tokens,
    )
    request = EncoderRequest(
        work=work,
        model=asked.model,
        params=recorded_params(
            RerankRequestBody,
            body,
            ignored=shown_names(ignored, strict=strict),
            leaving_out=_UNRECORDED,
        ),
    )
    return request, HowToRank(asked.top_n, asked.return_documents)
