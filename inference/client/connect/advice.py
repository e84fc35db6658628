"""What a user should know before a tool meets a model that is too small for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inference.client.connect.profiles import ToolProfile
    from inference.client.connect.target import ConnectTarget


def warnings_of(profile: ToolProfile, target: ConnectTarget) -> Iterator[str]:
    """Yield a line for each thing that may go wrong with this tool and this model."""
    wants = f"{profile.title} wants at least {profile.context_tokens:,}"
    said_by = f"({profile.context_source})"
    if target.context_tokens is None:
        yield f"the server does not tell the context of {target.model}; {wants} {said_by}"
    elif target.context_tokens < profile.context_tokens:
        has = f"{target.model} takes {target.context_tokens:,} tokens"
        yield f"{has}; {wants} {said_by}"
    if profile.uses_tools:
        yield from _of_calls(profile, target)


def _of_calls(profile: ToolProfile, target: ConnectTarget) -> Iterator[str]:
    if target.capabilities is not None and "tools" not in target.capabilities:
        yield (
            f"nobody knows how {target.model} calls tools, and {profile.title} lives "
            "by them: they are explained to it in words, and its calls are best effort"
        )
    yield from (f"{target.model}: {note}" for note in target.notes)
