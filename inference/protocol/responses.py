"""The body of a finished chat completion: owns its shape."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec

from inference.core.requests import Delta, Usage

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


def completion_id(request_id: str) -> str:
    """The id of a request's answer, recognisably the request's own."""
    return f"chatcmpl-{request_id.removeprefix('req-')}"


def usage_body(usage: Usage) -> dict[str, Any]:
    """Token counts in OpenAI's shape."""
    return {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "total_tokens": usage.total_tokens,
        "prompt_tokens_details": {"cached_tokens": usage.cached_tokens},
        "completion_tokens_details": {"reasoning_tokens": 0},
    }


@dataclass(slots=True)
class _Choice:
    pieces: list[str] = field(default_factory=list)
    finish_reason: str | None = None

    def to_body(self, index: int) -> dict[str, Any]:
        return {
            "index": index,
            "message": {
                "role": "assistant",
                "content": "".join(self.pieces),
                "refusal": None,
            },
            "logprobs": None,
            "finish_reason": self.finish_reason,
        }


async def collect_completion(
    deltas: AsyncIterator[Delta], *, completion_id: str, created: int, model: str
) -> bytes:
    """Read a generation to its end and encode it as one chat.completion."""
    choices: dict[int, _Choice] = {}
    usage = Usage()
    async for delta in deltas:
        choice = choices.setdefault(delta.index, _Choice())
        choice.pieces.append(delta.text)
        choice.finish_reason = delta.finish_reason or choice.finish_reason
        usage = delta.usage or usage
    return msgspec.json.encode(
        {
            "id": completion_id,
            "object": "chat.completion",
            "created": created,
            "model": model,
            "system_fingerprint": None,
            "choices": [choices[i].to_body(i) for i in sorted(choices)],
            "usage": usage_body(usage),
        }
    )
