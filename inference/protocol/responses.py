"""The body of a finished chat completion: owns its shape."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec

from inference.core.requests import Delta, Usage

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

    from inference.core.requests import TokenLogprob, ToolCallDelta

# JSON has no minus infinity; OpenAI writes this one for it.
LEAST_LOGPROB = -9999.0


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
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
    }


def reasoning_body(text: str) -> dict[str, str]:
    """Thinking under both names that clients read."""
    return {"reasoning_content": text, "reasoning": text}


def logprobs_body(tokens: Iterable[TokenLogprob]) -> dict[str, Any]:
    """The log probabilities of an answer's tokens."""
    content = [
        _token_body(token.token, token.logprob)
        | {"top_logprobs": [_token_body(top.token, top.logprob) for top in token.top]}
        for token in tokens
    ]
    return {"content": content, "refusal": None}


def _token_body(token: bytes, logprob: float) -> dict[str, Any]:
    return {
        "token": token.decode("utf-8", "replace"),
        "logprob": max(logprob, LEAST_LOGPROB),
        "bytes": list(token),
    }


@dataclass(slots=True)
class _Call:
    id: str = ""
    name: str = ""
    pieces: list[str] = field(default_factory=list)

    def add(self, piece: ToolCallDelta) -> None:
        self.id = self.id or piece.id
        self.name = self.name or piece.name
        self.pieces.append(piece.arguments)

    def to_body(self) -> dict[str, Any]:
        function = {"name": self.name, "arguments": "".join(self.pieces)}
        return {"id": self.id, "type": "function", "function": function}


@dataclass(slots=True)
class _Choice:
    pieces: list[str] = field(default_factory=list)
    reasoning: list[str] = field(default_factory=list)
    calls: dict[int, _Call] = field(default_factory=dict)
    logprobs: list[TokenLogprob] = field(default_factory=list)
    finish_reason: str | None = None

    def add(self, delta: Delta) -> None:
        self.pieces.append(delta.text)
        self.reasoning.append(delta.reasoning)
        self.logprobs.extend(delta.logprobs)
        for piece in delta.tool_calls:
            self.calls.setdefault(piece.index, _Call()).add(piece)
        self.finish_reason = delta.finish_reason or self.finish_reason

    def to_body(self, index: int) -> dict[str, Any]:
        return {
            "index": index,
            "message": self._message(),
            "logprobs": logprobs_body(self.logprobs) if self.logprobs else None,
            "finish_reason": self.finish_reason,
        }

    def _message(self) -> dict[str, Any]:
        text, reasoning = "".join(self.pieces), "".join(self.reasoning)
        message: dict[str, Any] = {
            "role": "assistant",
            "content": None if self.calls and not text else text,
            "refusal": None,
        }
        if reasoning:
            message |= reasoning_body(reasoning)
        if self.calls:
            message["tool_calls"] = [
                self.calls[i].to_body() for i in sorted(self.calls)
            ]
        return message


async def collect_completion(
    deltas: AsyncIterator[Delta], *, completion_id: str, created: int, model: str
) -> bytes:
    """Read a generation to its end and encode it as one chat.completion."""
    choices: dict[int, _Choice] = {}
    usage = Usage()
    async for delta in deltas:
        choices.setdefault(delta.index, _Choice()).add(delta)
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
