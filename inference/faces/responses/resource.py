"""The response object: what was asked, as every answer tells it again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from inference.core.requests import ToolMode

if TYPE_CHECKING:
    from collections.abc import Mapping

    from inference.core.requests import Usage
    from inference.protocol.response_parameters import ResponseRequestBody


def response_id_of(request_id: str) -> str:
    """Return the id of the response to a request."""
    return f"resp_{request_id.removeprefix('req-')}"


def resource_of(
    asked: ResponseRequestBody,
    *,
    response_id: str,
    created: int,
    model: str,
    is_stored: bool,
) -> dict[str, Any]:
    """Return a response of which nothing is answered yet."""
    reasoning, conversation = asked.reasoning, asked.conversation
    is_parallel = asked.parallel_tool_calls
    if is_parallel is None:
        is_parallel = asked.tool_choice.mode not in (
            ToolMode.REQUIRED,
            ToolMode.FUNCTION,
        )
    return {
        "id": response_id,
        "object": "response",
        "created_at": created,
        "completed_at": None,
        "status": "in_progress",
        "background": asked.background,
        "error": None,
        "incomplete_details": None,
        "model": model,
        "output": [],
        "usage": None,
        "instructions": asked.instructions,
        "previous_response_id": asked.previous_response_id,
        "conversation": {"id": conversation} if conversation else None,
        "store": is_stored,
        "tools": list(asked.tools.sent),
        "tool_choice": asked.tool_choice.sent,
        "parallel_tool_calls": is_parallel,
        "max_tool_calls": asked.max_tool_calls,
        "max_output_tokens": asked.max_output_tokens,
        "text": {
            "format": asked.text.sent,
            "verbosity": "medium",
        },
        "reasoning": {
            "effort": reasoning.effort if reasoning else None,
            "summary": reasoning.summary if reasoning else None,
        },
        "truncation": asked.truncation,
        "temperature": asked.temperature,
        "top_p": asked.top_p,
        "presence_penalty": asked.presence_penalty,
        "frequency_penalty": asked.frequency_penalty,
        "top_logprobs": asked.top_logprobs or 0,
        "service_tier": "default",
        "metadata": asked.metadata,
        "safety_identifier": asked.safety_identifier,
        "prompt_cache_key": asked.prompt_cache_key,
        # Null is no user's name in OpenAI's document.
        **({"user": asked.user} if asked.user else {}),
    }


def filled_in(resource: dict[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    """Return a response that tells what stood in for what was not sent."""
    held = {
        name: defaults.get(name, 1.0)
        for name in ("temperature", "top_p")
        if resource[name] is None
    }
    return resource | held


def response_usage(usage: Usage) -> dict[str, Any]:
    """Token counts as responses tell them."""
    return {
        "input_tokens": usage.prompt_tokens,
        "input_tokens_details": {
            "cached_tokens": usage.cached_tokens,
            "cache_write_tokens": 0,
        },
        "output_tokens": usage.completion_tokens,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
        "total_tokens": usage.total_tokens,
    }
