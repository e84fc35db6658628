"""Requests as the server's own rooms see them, for tests below the wire."""

from __future__ import annotations

from typing import Any

from inference.core.requests import (
    ChatMessage,
    ChatPrompt,
    Generate,
    InferenceRequest,
    SamplingRequest,
)

_OF_PROMPTS = ("tools", "template_kwargs", "reasoning_effort")


def asking(*messages: ChatMessage, **said: Any) -> InferenceRequest:
    """Return a request with one conversation."""
    prompt = {name: said.pop(name) for name in _OF_PROMPTS if name in said}
    of_request = {
        name: said.pop(name) for name in ("model", "stream", "params") if name in said
    }
    said.setdefault("sampling", SamplingRequest())
    work = Generate(prompts=(ChatPrompt(messages, **prompt),), **said)
    return InferenceRequest(work=work, **of_request)
