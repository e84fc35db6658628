"""The SDKs for Node: a call, its result, the answer, by each protocol."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tests.clients.conftest import ANSWER, NOTE
from tests.clients.environments import NodeEnvironment

if TYPE_CHECKING:
    from tests.clients.conftest import Agency
    from tests.e2e.servers import Server

SDKS = NodeEnvironment(
    "sdks",
    (
        "openai@7.59.0",
        "@anthropic-ai/sdk@1.15.0",
        "ai@7.0.173",
        "@ai-sdk/openai-compatible@3.0.92",
    ),
)
TOOL = {
    "name": "Read",
    "description": "Reads a file.",
    "parameters": {
        "type": "object",
        "properties": {"file_path": {"type": "string"}},
        "required": ["file_path"],
    },
}


def run(script: str, reader: Agency, **settings: str) -> dict[str, Any]:
    told: dict[str, Any] = SDKS.run(
        script,
        SERVER=reader.server.base_url,
        TOOL=json.dumps(TOOL),
        RESULT=NOTE,
        **settings,
    )
    return told


def test_openais_calls_streams_completes_lists_and_knows_its_errors(
    reader: Agency, minilm_server: Server
) -> None:
    call = ["Read", {"file_path": str(reader.note)}]
    told = run("openai_sdk.mjs", reader, EMBEDDER=minilm_server.base_url)
    assert told == {
        "called": call,
        "finish": "tool_calls",
        "answer": ANSWER,
        "streamed": call,
        "completion": "string",
        "listed": ["agent"],
        "response": [*call, ANSWER],
        "vectors": [384, 384],
        "refused": [True, "model_not_found"],
    }


def test_anthropics_calls_streams_counts_and_knows_its_errors(reader: Agency) -> None:
    call = ["Read", {"file_path": str(reader.note)}]
    assert run("anthropic_sdk.mjs", reader) == {
        "called": call,
        "finish": "tool_use",
        "answer": ANSWER,
        "streamed": call,
        "counted": True,
        "refused": [True, "not_found_error"],
    }


def test_vercels_goes_through_the_steps_to_the_answer(reader: Agency) -> None:
    assert run("vercel.mjs", reader) == {
        "asked": [{"file_path": str(reader.note)}] * 2,
        "answer": ANSWER,
        "steps": 2,
        "streamed": ANSWER,
        "counted": True,
    }
