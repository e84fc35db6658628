"""A real server's record: complete rows, sums that equal them, samples and events."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import openai
import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.conftest import StartServer
    from tests.e2e.servers import Server

SECRET = "tell nobody"


def selected(server: Server, query: str) -> list[tuple[Any, ...]]:
    return [tuple(row.values()) for row in server.record.select(query)]


def use(server: Server) -> None:
    """Ask four things: answered, streamed, refused for its length, refused by name."""
    client = server.client(default_headers={"x-session-id": "s-1"})
    said: Any = {
        "model": "any",
        "messages": [{"role": "user", "content": SECRET}],
        "user": "anna",
        "metadata": {"team": "search"},
    }
    client.chat.completions.create(**said, max_tokens=20)
    list(client.chat.completions.create(**said, stream=True))
    long = said | {"messages": [{"role": "user", "content": "word " * 40_000}]}
    with pytest.raises(openai.BadRequestError):
        client.chat.completions.create(**long)
    with pytest.raises(openai.BadRequestError):
        client.chat.completions.create(**said, temperature=9)


def test_rows_are_complete_and_sums_equal_them(
    start_server: StartServer, tiny_model_dir: Path
) -> None:
    server = start_server(
        tiny_model_dir, ANY_MODEL_NAME="1", RECORD_BODIES="0"
    ).wait_ready()
    use(server)
    rows = list(server.wait_rows(4).values())
    assert server.stop() == 0
    assert {row["user"] for row in rows} == {"anna"}
    assert {row["session_id"] for row in rows} == {"s-1"}
    assert {row["tags"] for row in rows} == {json.dumps({"team": "search"})}
    answered = [row for row in rows if row["outcome"] == "finished"]
    for row in answered:
        assert row["batch_max"] == 1
        assert row["memory_bytes"] > 0
        assert row["is_estimated"] == 0
        assert "temperature" in json.loads(row["defaults"])
    assert [("max_tokens" in json.loads(row["defaults"])) for row in answered] == [
        *(False, True)
    ]
    (refused,) = (r for r in rows if r["reason"] == "context_length_exceeded")
    assert json.loads(refused["refusal"])["context_length"] == 2048
    assert refused["prompt_tokens"] > 2048
    sums = selected(
        server,
        "SELECT sum(requests) AS r, sum(finished) AS f, sum(invalid) AS i,"
        " sum(completion_tokens) AS t FROM metrics_rollup GROUP BY level",
    )
    tokens = sum(row["completion_tokens"] for row in answered)
    assert sums == [(4, 2, 2, tokens)] * 3
    assert selected(server, "SELECT looks FROM metrics_gauge WHERE level = 'day'")
    assert not selected(server, "SELECT * FROM metrics_requestbody")
    assert SECRET not in json.dumps(rows)
    kinds = [event["kind"] for event in server.events()]
    assert kinds == ["server_start", "model_load", "server_stop"]


def test_prompts_and_answers_are_kept_where_asked(
    start_server: StartServer, tiny_model_dir: Path
) -> None:
    server = start_server(
        tiny_model_dir, ANY_MODEL_NAME="1", RECORD_BODIES="1"
    ).wait_ready()
    use(server)
    server.wait_rows(4)
    assert server.stop() == 0
    bodies = selected(server, "SELECT prompt, answer FROM metrics_requestbody")
    # The request that was wrong in itself has no conversation to keep.
    assert len(bodies) == 3
    assert sum(SECRET in prompt for prompt, _ in bodies) == 2
    assert sum(answer is not None for _, answer in bodies) == 2


def test_a_redactor_that_is_not_there_ends_the_start_with_one_line(
    start_server: StartServer, tiny_model_dir: Path
) -> None:
    server = start_server(tiny_model_dir, BODY_REDACTOR="no.such.function")
    assert server.process.wait(60) == 2
    server.stop()
    said = server.output()
    assert said.count("\n") == 1, said
    assert said.startswith("error: BODY_REDACTOR 'no.such.function' cannot be imported")
