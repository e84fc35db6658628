"""A server of scripted models, one per family, and what a client gets of them."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import httpx

from tests.e2e.servers import Server, wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.families.scripted import Scripted

PATIENCE_S = 120
ROOM_TOKENS = 1000


@dataclass
class Answer:
    """What a client has of one answer; `calls` are names and arguments as text."""

    request_id: str
    content: str = ""
    reasoning: str = ""
    calls: list[tuple[str, str]] = field(default_factory=list)
    finish_reason: str | None = None
    prompt_tokens: int = 0

    @property
    def read_calls(self) -> list[tuple[str, Any]]:
        """The calls with their arguments read; each has to be JSON."""
        return [(name, json.loads(arguments)) for name, arguments in self.calls]


class FamilyServer:
    """One server; each model is loaded when it is asked first."""

    def __init__(self, models: dict[str, Scripted], folder: Path, data: Path) -> None:
        first = next(iter(models.values()))
        self.models = models
        self._prompt_tokens: dict[str, int] = {}
        self.server = Server(data, first.folder, MODEL_DIRS=str(folder))
        self._client = httpx.Client(
            base_url=f"{self.server.base_url}/v1", timeout=PATIENCE_S
        )

    def close(self) -> None:
        """End the server."""
        self._client.close()
        self.server.kill()

    def body_for(
        self, model: str, script: str, messages: list[dict[str, Any]], **options: Any
    ) -> dict[str, Any]:
        """Return a request whose prompt is as long as the script's place."""
        body = {"model": model, "messages": messages, "temperature": 0} | options
        key = json.dumps(body | {"max_tokens": 1})
        if key not in self._prompt_tokens:
            self._prompt_tokens[key] = self.ask(body | {"max_tokens": 1}).prompt_tokens
        filler = self.models[model].filler(script, self._prompt_tokens[key])
        *before, last = messages
        longer = last | {"content": last["content"] + filler}
        return {"max_tokens": ROOM_TOKENS} | body | {"messages": [*before, longer]}

    def ask(self, body: dict[str, Any], *, stream: bool = False) -> Answer:
        """Return an answer, whole or put together from its stream."""
        if stream:
            return self._streamed(body)
        answer = self._client.post("chat/completions", json=body)
        assert answer.status_code == 200, answer.text
        return read_whole(answer.json())

    def warnings(self, answer: Answer) -> list[str]:
        """Return what the row of a request warns of, once it is written."""

        def ended() -> dict[str, Any] | None:
            row = self.server.rows().get(answer.request_id)
            return row if row and row["outcome"] != "running" else None

        row = wait_until(ended, f"the row of {answer.request_id}")
        assert row is not None
        warnings: list[str] = json.loads(row["warnings"])
        return warnings

    def _streamed(self, body: dict[str, Any]) -> Answer:
        asked = body | {"stream": True, "stream_options": {"include_usage": True}}
        with self._client.stream("POST", "chat/completions", json=asked) as events:
            assert events.status_code == 200, events.read()
            lines = [line[6:] for line in events.iter_lines() if line]
        assert lines.pop() == "[DONE]"
        return read_chunks([json.loads(line) for line in lines])


def read_whole(body: dict[str, Any]) -> Answer:
    """Return the answer in a chat.completion."""
    (choice,) = body["choices"]
    message = choice["message"]
    functions = [call["function"] for call in message.get("tool_calls", ())]
    return Answer(
        request_id=_request_id(body["id"]),
        content=message["content"] or "",
        reasoning=message.get("reasoning_content", ""),
        calls=[(call["name"], call["arguments"]) for call in functions],
        finish_reason=choice["finish_reason"],
        prompt_tokens=body["usage"]["prompt_tokens"],
    )


def read_chunks(chunks: list[dict[str, Any]]) -> Answer:
    """Return the answer that chunks tell, as a strict client puts it together."""
    *told, last = chunks
    answer = Answer(_request_id(last["id"]))
    answer.prompt_tokens = last["usage"]["prompt_tokens"]
    for chunk in told:
        (choice,) = chunk["choices"]
        assert answer.finish_reason is None, "something came after the end"
        delta = choice["delta"]
        answer.content += delta.get("content") or ""
        answer.reasoning += delta.get("reasoning_content") or ""
        for piece in delta.get("tool_calls", ()):
            _add_piece(answer.calls, piece)
        answer.finish_reason = choice["finish_reason"]
    return answer


def _add_piece(calls: list[tuple[str, str]], piece: dict[str, Any]) -> None:
    function = piece["function"]
    if "id" in piece:
        assert piece["index"] == len(calls)
        assert piece["type"] == "function"
        calls.append((function["name"], function["arguments"]))
        return
    name, arguments = calls[piece["index"]]
    calls[piece["index"]] = (name, arguments + function["arguments"])


def _request_id(completion_id: str) -> str:
    return f"req-{completion_id.removeprefix('chatcmpl-')}"
