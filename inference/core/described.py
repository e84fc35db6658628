"""What a row says of a request's body in a word or a few pairs."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from inference.core.requests import GenerationRequest

# Of `metadata`, as its parameter allows; a body may turn out to be wrong later.
TAGS_MAX = 16
TAG_CHARS = 512


def tags_of(metadata: object) -> dict[str, str]:
    """Return what of `metadata` are pairs of texts, within bounds."""
    if not isinstance(metadata, dict):
        return {}
    pairs = list(metadata.items())[:TAGS_MAX]
    return {
        name[:TAG_CHARS]: text[:TAG_CHARS]
        for name, text in pairs
        if isinstance(name, str) and isinstance(text, str)
    }


def structure_of(request: GenerationRequest) -> str:
    """Return in one word what the answer has to look like; empty where it is free."""
    if request.tools is not None and request.tools.is_forced:
        return "tool_call"
    if request.grammar is not None:
        return request.grammar.kind
    return ""
