"""Reads a stream as a strict client would: every byte must fit the grammar."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any


@dataclass
class ReadStream:
    """What a stream of server-sent events said."""

    chunks: list[dict[str, Any]] = field(default_factory=list)
    comments: list[str] = field(default_factory=list)
    error: dict[str, Any] | None = None
    is_done: bool = False

    @property
    def text(self) -> str:
        return "".join(
            choice["delta"].get("content", "")
            for chunk in self.chunks
            for choice in chunk["choices"]
        )

    @property
    def finish_reasons(self) -> list[str]:
        return [
            choice["finish_reason"]
            for chunk in self.chunks
            for choice in chunk["choices"]
            if choice["finish_reason"] is not None
        ]


def read_stream(raw: bytes) -> ReadStream:
    """Parse events; nothing may follow [DONE] or an error."""
    stream = ReadStream()
    assert raw.endswith(b"\n\n")
    for event in raw.decode().removesuffix("\n\n").split("\n\n"):
        assert not stream.is_done
        assert stream.error is None
        if event.startswith(":"):
            stream.comments.append(event)
            continue
        assert event.startswith("data: "), event
        assert "\n" not in event
        data = event.removeprefix("data: ")
        if data == "[DONE]":
            stream.is_done = True
        elif "error" in (value := json.loads(data)):
            stream.error = value["error"]
        else:
            stream.chunks.append(value)
    return stream


def check_chunks(chunks: list[dict[str, Any]], *, with_usage: bool) -> None:
    """Check the grammar of a complete answer with one choice."""
    answer = chunks[:-1] if with_usage else chunks
    _check_heads(chunks)
    _check_choices(answer)
    if with_usage:
        assert chunks[-1]["choices"] == []
        assert set(chunks[-1]["usage"]) >= {
            "prompt_tokens",
            "completion_tokens",
            "total_tokens",
        }
        assert all(chunk["usage"] is None for chunk in answer)
    else:
        assert all("usage" not in chunk for chunk in chunks)


def _check_heads(chunks: list[dict[str, Any]]) -> None:
    assert {chunk["object"] for chunk in chunks} == {"chat.completion.chunk"}
    for key in ("id", "created", "model"):
        assert len({chunk[key] for chunk in chunks}) == 1, key
    assert chunks[0]["id"].startswith("chatcmpl-")
    assert isinstance(chunks[0]["created"], int)


def _check_choices(chunks: list[dict[str, Any]]) -> None:
    choices = [choice for chunk in chunks for choice in chunk["choices"]]
    assert len(choices) == len(chunks)
    assert all(
        set(c) == {"index", "delta", "logprobs", "finish_reason"} for c in choices
    )
    first, *middle, last = choices
    assert first["delta"] == {"role": "assistant", "content": "", "refusal": None}
    assert all(set(choice["delta"]) == {"content"} for choice in middle)
    assert all(choice["delta"]["content"] for choice in middle)
    assert last["delta"] == {}
    assert last["finish_reason"] in ("stop", "length")
    assert all(choice["finish_reason"] is None for choice in choices[:-1])
