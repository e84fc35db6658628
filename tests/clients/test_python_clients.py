"""Python's clients and frameworks, each as its own scripts use it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tests.clients.conftest import ANSWER, NOTE
from tests.clients.environments import PythonEnvironment
from tests.clients.test_node_sdks import TOOL

if TYPE_CHECKING:
    from tests.clients.conftest import Agency
    from tests.e2e.servers import Server

# The tests use the newest; many still have the one before.
OPENAI_2 = PythonEnvironment("openai-2", ("openai==2.54.0",))
# Later ones were compromised.
LITELLM = PythonEnvironment("litellm", ("litellm==1.82.6",))
INSTRUCTOR = PythonEnvironment("instructor", ("instructor==1.17.0",))
LLAMA_INDEX = PythonEnvironment("llama-index", ("llama-index-llms-openai-like==0.8.1",))
SMOLAGENTS = PythonEnvironment("smolagents", ("smolagents[openai]==1.26.0",))


def run(environment: PythonEnvironment, script: str, reader: Agency) -> dict[str, Any]:
    told: dict[str, Any] = environment.run(
        script, SERVER=reader.server.base_url, TOOL=json.dumps(TOOL), RESULT=NOTE
    )
    return told


def test_openais_sdk_before_the_newest_knows_every_endpoint(
    reader: Agency, minilm_server: Server
) -> None:
    told = OPENAI_2.run(
        "openai_sdk.py",
        SERVER=reader.server.base_url,
        EMBEDDER=minilm_server.base_url,
        TOOL=json.dumps(TOOL),
        RESULT=NOTE,
    )
    call = ["Read", {"file_path": str(reader.note)}]
    assert told == {
        "chat": {
            "called": call,
            "answer": ANSWER,
            "streamed": call,
            "parsed": True,
            "refused": ["NotFoundError", "model_not_found"],
        },
        "responses": {
            "called": call,
            "answer": ANSWER,
            "streamed": call,
            "ended": True,
            "kept": ANSWER,
            "refused": ["NotFoundError", "not_found"],
        },
        "embeddings": {
            "sizes": [384, 384],
            "refused": ["BadRequestError", "unsupported_parameter"],
        },
        "others": {"completion": "str", "listed": ["agent"]},
    }


def test_litellm_calls_streams_counts_and_knows_its_errors(reader: Agency) -> None:
    call = ["Read", {"file_path": str(reader.note)}]
    assert run(LITELLM, "litellm_tools.py", reader) == {
        "called": call,
        "answer": ANSWER,
        "streamed": call,
        "counted": True,
        "refused": 404,
    }


def test_instructor_gets_its_class_in_every_mode_that_is_enforced(
    smollm2_server: Server,
) -> None:
    modes = "TOOLS JSON_SCHEMA"
    told = INSTRUCTOR.run(
        "instructor_models.py",
        SERVER=smollm2_server.base_url,
        MODEL="SmolLM2-135M-Instruct-float32",
        MODES=modes,
    )
    assert told == dict.fromkeys(modes.split(), "City")


def test_llama_index_chats_streams_completes_and_calls(reader: Agency) -> None:
    assert run(LLAMA_INDEX, "llama_index_chat.py", reader) == {
        "asked": [str(reader.note)],
        "chat": ANSWER,
        "streamed": ANSWER,
        "completed": True,
    }


def test_an_agent_of_smolagents_calls_its_tool_and_answers(reader: Agency) -> None:
    told = run(SMOLAGENTS, "smolagents_agent.py", reader)
    assert set(told["asked"]) == {str(reader.note)}
    assert told["answer"] == ANSWER
