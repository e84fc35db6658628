"""Forced calls over HTTP, in the own form of several families."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest

from tests.e2e.servers import REPOSITORY, Server
from tests.models.make_caller import SHOWS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ASK = [{"role": "user", "content": "What is the weather in Rome?"}]
WEATHER: dict[str, Any] = {
    "type": "object",
    "properties": {
        "city": {"type": "string", "minLength": 1, "maxLength": 10},
        "code": {"type": "string", "pattern": "^[0-9]{3}$"},
        "days": {"type": "integer", "minimum": 1, "maximum": 9},
        "tags": {
            "type": "array",
            "items": {"type": "string", "maxLength": 5},
            "maxItems": 3,
        },
        "note": {"anyOf": [{"type": "string", "maxLength": 8}, {"type": "null"}]},
    },
    "required": ["city", "code", "days"],
}
TOOLS = [
    {"type": "function", "function": {"name": "weather", "parameters": WEATHER}},
    {"type": "function", "function": {"name": "now"}},
]
NAMED = {"type": "function", "function": {"name": "weather"}}
CITY: dict[str, Any] = {
    "type": "object",
    "properties": {"city": {"type": "string", "maxLength": 9}},
}


@pytest.fixture(scope="module")
def callers(
    tiny_model_dir: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """A model without sense for each of these dialects."""
    folder = tmp_path_factory.mktemp("callers")
    for name in SHOWS:
        out = str(folder / name)
        command = [sys.executable, "-m", "tests.models.make_caller"]
        subprocess.run(
            [*command, str(tiny_model_dir), out, name], check=True, cwd=REPOSITORY
        )
    first, *others = (folder / name for name in SHOWS)
    more = [word for path in others for word in ("--model-path", str(path))]
    server = Server(folder / "data", first, *more)
    yield server.wait_ready()
    server.kill()


def ask(server: Server, model: str, **options: Any) -> Any:
    said = {"temperature": 1.5, "seed": 3, "max_tokens": 600, "messages": ASK}
    return server.client().chat.completions.create(
        model=model, extra_body={"thinking_budget": 8}, **said | options
    )


@pytest.mark.parametrize("name", SHOWS)
def test_a_forced_call_fits_streamed_or_not(callers: Server, name: str) -> None:
    for seed in range(4):
        options = {"tools": TOOLS, "tool_choice": NAMED, "seed": seed}
        whole = ask(callers, name, **options).choices[0]
        assert (whole.finish_reason, whole.message.content) == ("tool_calls", None)
        (call,) = whole.message.tool_calls
        assert call.function.name == "weather"
        arguments = json.loads(call.function.arguments)
        jsonschema.validate(arguments, WEATHER)
        assert arguments.keys() <= WEATHER["properties"].keys()
        pieces = [
            piece
            for chunk in ask(callers, name, **options, stream=True)
            for piece in chunk.choices[0].delta.tool_calls or []
        ]
        assert len(pieces) >= 2
        told = "".join(piece.function.arguments for piece in pieces)
        assert json.loads(told) == arguments


@pytest.mark.parametrize("name", SHOWS)
def test_with_a_format_the_answer_is_a_call_or_fits(callers: Server, name: str) -> None:
    form = {"type": "json_schema", "json_schema": {"name": "city", "schema": CITY}}
    for seed in range(6):
        options = {"response_format": form, "parallel_tool_calls": False}
        choice = ask(callers, name, tools=TOOLS, seed=seed, **options).choices[0]
        if choice.message.tool_calls:
            assert choice.finish_reason == "tool_calls"
            assert choice.message.content is None
        else:
            assert choice.finish_reason == "stop"
            answer = json.loads(choice.message.content)
            jsonschema.validate(answer, CITY | {"additionalProperties": False})
