"""What a row says of a request's body in a word or a few pairs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from inference.core.requests import Generate

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


def structure_of(work: Generate) -> str:
    """Return in one word what the answer has to look like; empty where it is free."""
    if work.tools is not None and work.tools.is_forced:
        return "tool_call"
    if work.grammar is not None:
        return work.grammar.kind
    return ""


def ignored_names(params: Mapping[str, Any]) -> list[str]:
    """The names of parameters that were sent without effect.

    `params` are those of a request, or of its row: there are also those that mean
    nothing to the model, once its prompt is prepared.
    """
    names: list[str] = params.get("ignored", [])
    return names
