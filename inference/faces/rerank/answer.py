"""A ranking on the wire: what Cohere's clients read, and Jina's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from inference.runtime.encoding import BY_VECTORS

if TYPE_CHECKING:
    from inference.core.encoding import Relevance, Rerank
    from inference.faces.rerank.body import HowToRank


def ranking_body(
    found: Relevance, work: Rerank, how: HowToRank, *, request_id: str, model: str
) -> dict[str, Any]:
    """Return the body: the documents, best first, and those alike in their order."""
    scores = found.scores
    ranked = sorted(range(len(scores)), key=lambda place: -scores[place])
    meta: dict[str, Any] = {"tokens": {"input_tokens": found.tokens}}
    if found.by_vectors:
        meta["warnings"] = [BY_VECTORS]
    return {
        "id": f"rerank-{request_id.removeprefix('req-')}",
        "object": "list",
        "model": model,
        "results": [
            {"index": place, "relevance_score": scores[place]}
            | ({"document": {"text": work.documents[place]}} if how.tells_texts else {})
            for place in ranked[: how.top_n]
        ],
        "usage": {"prompt_tokens": found.tokens, "total_tokens": found.tokens},
        "meta": meta,
    }
