"""A server of scripted models, one per family, and what a client gets of them."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.e2e.servers import Server, wait_until
from tests.families.scripted import Scripted, write_scripted
from tests.families.templates import NotFetchedError, template

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from tests.families.cases import Case

ASK = [{"role": "user", "content": "How is the weather?"}]

PATIENCE_S = 120
ROOM_TOKENS = 3000
# More models than these are not needed in memory at once.
KEPT = 6


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
    """One server; each model is loaded when it is asked first, and goes in time."""

    def __init__(
        self, models: dict[str, Scripted], folder: Path, data: Path, *options: str
    ) -> None:
        first = next(iter(models.values()))
        self.models = models
        self._loaded: list[str] = []
        self._prompt_tokens: dict[str, int] = {}
        self.server = Server(data, first.folder, *options, MODEL_DIRS=str(folder))
        self._client = httpx.Client(
            base_url=f"{self.server.base_url}/v1", timeout=PATIENCE_S
        )

    def close(self) -> None:
        """End the server."""
        self._client.close()
        self.server.kill()

    def served(self, model: str) -> str:
        """Return what requests call a model; it is loaded, and has room."""
        self._make_room(model)
        return self.models[model].folder.name

    def body_for(
        self, model: str, script: str, messages: list[dict[str, Any]], **options: Any
    ) -> dict[str, Any]:
        """Return a request whose prompt is as long as the script's place."""
        body = {
            "model": self.served(model),
            "messages": messages,
            "temperature": 0,
        } | options
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

    def ask_all(
        self, bodies: Iterable[tuple[dict[str, Any], bool]], *, at_once: int
    ) -> list[Answer]:
        """Return the answers to many requests, streamed or not, in their order."""

        async def ask() -> list[Answer]:
            turns = asyncio.Semaphore(at_once)
            limits = httpx.Limits(max_connections=at_once)
            async with httpx.AsyncClient(
                base_url=f"{self.server.base_url}/v1",
                timeout=PATIENCE_S,
                limits=limits,
            ) as client:

                async def one(body: dict[str, Any], stream: bool) -> Answer:
                    async with turns:
                        asked = _streaming(body) if stream else body
                        answer = await client.post("chat/completions", json=asked)
                    assert answer.status_code == 200, answer.text
                    if not stream:
                        return read_whole(answer.json())
                    return read_events(answer.text.splitlines())

                return await asyncio.gather(*(one(*each) for each in bodies))

        return asyncio.run(ask())

    def _make_room(self, model: str) -> None:
        if model in self._loaded:
            return
        self._loaded.append(model)
        if len(self._loaded) > KEPT:
            key = self.models[self._loaded.pop(0)].folder.name
            gone = self._client.post("models/unload", json={"model": key})
            assert gone.status_code == 200, gone.text

    def _streamed(self, body: dict[str, Any]) -> Answer:
        answer = self._client.post("chat/completions", json=_streaming(body))
        assert answer.status_code == 200, answer.text
        return read_events(answer.text.splitlines())


@contextmanager
def serving(
    cases: Iterable[Case], factory: pytest.TempPathFactory, *options: str
) -> Iterator[FamilyServer]:
    """Serve a model for each family that writes what its cases say."""
    folder = factory.mktemp("families")
    models = {}
    ordered = sorted(cases, key=lambda case: case.family)
    for family, own in itertools.groupby(ordered, lambda case: case.family):
        scripts = {case.name: case.writes for case in own}
        name = family.replace("/", "-")
        models[family] = write_scripted(folder / name, real_template(family), scripts)
    data = factory.mktemp("data") / "data"
    server = FamilyServer(models, folder, data, *options)
    try:
        server.server.wait_ready()
        yield server
    finally:
        server.close()


def real_template(family: str) -> str:
    """Return a family's template; a test ends here where none can be had."""
    try:
        return template(family)
    except NotFetchedError as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(error))


def _streaming(body: dict[str, Any]) -> dict[str, Any]:
    return body | {"stream": True, "stream_options": {"include_usage": True}}


def read_events(lines: Iterable[str]) -> Answer:
    """Return the answer that the lines of an event stream tell."""
    events = [line.removeprefix("data: ") for line in lines if line]
    assert events.pop() == "[DONE]"
    return read_chunks([json.loads(event) for event in events])


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
