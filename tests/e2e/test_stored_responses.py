"""Stored responses on a real server: they outlive it, however it ends."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, Any

import openai
import pytest
from openai.types.responses import ResponseInputMessageItem

from tests.e2e.servers import wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from openai.types.responses import Response

    from tests.e2e.conftest import StartServer
    from tests.e2e.servers import Server

ENDLESS = 1_000_000


def ask(server: Server, text: str, **options: Any) -> Response:
    asked: dict[str, Any] = {"model": "any", "max_output_tokens": 5} | options
    with server.client() as client:
        return client.responses.create(input=text, **asked)


def found(server: Server, response_id: str) -> Response:
    with server.client() as client:
        return client.responses.retrieve(response_id)


def said(server: Server, conversation_id: str) -> list[str]:
    with server.client() as client:
        items = client.conversations.items.list(conversation_id, order="asc")
        return [part.text for item in items for part in item.content]


def in_progress(server: Server, **options: Any) -> Response:
    """Return a response in the background that has begun and does not end."""
    asked = ask(server, "Go on", background=True, max_output_tokens=ENDLESS, **options)
    assert asked.status == "queued"

    def has_begun() -> bool:
        return found(server, asked.id).status == "in_progress"

    wait_until(has_begun, "a response in progress")
    return asked


def row_of(server: Server, response: Response) -> dict[str, Any]:
    request_id = response.id.replace("resp_", "req-")

    def ended() -> dict[str, Any] | None:
        row = server.rows().get(request_id)
        return row if row and row["outcome"] != "running" else None

    return wait_until(ended, "the row's end")


def test_a_conversation_goes_on_after_its_server_was_killed(
    start_server: StartServer, tiny_model_dir: Path
) -> None:
    first = start_server(tiny_model_dir, ANY_MODEL_NAME="1").wait_ready()
    with first.client() as client:
        conversation = client.conversations.create(metadata={"topic": "demo"})
    one = ask(first, "One", conversation=conversation.id)
    alone = ask(first, "Alone")
    # What was told is kept: it is killed at once.
    first.kill()
    second = start_server(tiny_model_dir, ANY_MODEL_NAME="1").wait_ready()
    assert found(second, alone.id) == alone
    two = ask(second, "Two", conversation=conversation.id)
    assert said(second, conversation.id) == [
        *("One", one.output_text, "Two", two.output_text)
    ]
    next_turn = ask(second, "Next", previous_response_id=alone.id)
    anew = ask(second, "Next")
    assert next_turn.usage
    assert anew.usage
    # What was said before is part of its prompt.
    assert next_turn.usage.input_tokens > anew.usage.input_tokens
    assert two.usage
    assert two.usage.input_tokens > anew.usage.input_tokens
    rows = second.count_rows()
    assert {row["outcome"] for row in second.rows().values()} == {"finished"}
    assert rows >= 6


def test_a_response_ends_while_nobody_listens_and_outlives_its_server(
    start_server: StartServer, tiny_model_dir: Path
) -> None:
    first = start_server(tiny_model_dir, ANY_MODEL_NAME="1").wait_ready()
    asked = ask(first, "Hello", background=True)
    assert (asked.status, asked.output) == ("queued", [])
    row = row_of(first, asked)
    assert (row["outcome"], row["completion_tokens"]) == ("finished", 5)
    ended = found(first, asked.id)
    assert ended.status == "incomplete"
    assert ended.output_text
    with first.client() as client:
        events = list(client.responses.retrieve(asked.id, stream=True))
    first.kill()
    second = start_server(tiny_model_dir, ANY_MODEL_NAME="1").wait_ready()
    assert found(second, asked.id) == ended
    with second.client() as client:
        assert list(client.responses.retrieve(asked.id, stream=True)) == events
        later = client.responses.retrieve(asked.id, stream=True, starting_after=3)
        assert list(later) == events[4:]
        (item,) = client.responses.input_items.list(asked.id)
        assert isinstance(item, ResponseInputMessageItem)
        assert [part.text for part in item.content] == ["Hello"]
        client.responses.delete(asked.id)
        with pytest.raises(openai.NotFoundError):
            client.responses.retrieve(asked.id)


def test_what_was_in_progress_when_its_server_was_killed_has_failed(
    start_server: StartServer, rambler_dir: Path
) -> None:
    first = start_server(rambler_dir, ANY_MODEL_NAME="1").wait_ready()
    asked = in_progress(first)
    first.kill()
    second = start_server(rambler_dir, ANY_MODEL_NAME="1").wait_ready()
    ended = found(second, asked.id)
    assert ended.status == "failed"
    assert ended.error
    assert ended.error.code == "server_error"
    assert "The server was restarted" in ended.error.message
    with second.client() as client:
        (event,) = client.responses.retrieve(asked.id, stream=True)
        assert event.type == "response.failed"
        with pytest.raises(openai.BadRequestError):
            client.responses.create(
                input="Next", previous_response_id="nobody", conversation="conv_a"
            )
    assert row_of(second, asked)["outcome"] == "interrupted"


def test_a_server_that_is_asked_to_end_says_so_in_what_is_in_progress(
    start_server: StartServer, rambler_dir: Path
) -> None:
    first = start_server(
        rambler_dir, ANY_MODEL_NAME="1", DRAIN_TIMEOUT="0.2"
    ).wait_ready()
    asked = in_progress(first)
    first.process.send_signal(signal.SIGTERM)
    first.process.wait(60)
    second = start_server(rambler_dir, ANY_MODEL_NAME="1").wait_ready()
    ended = found(second, asked.id)
    assert ended.status == "failed"
    assert ended.output_text
    row = row_of(second, asked)
    assert (row["outcome"], row["reason"]) == ("interrupted", "shutdown")
    assert row["completion_tokens"] > 0


def test_who_asked_in_the_background_follows_it_and_takes_it_back(
    start_server: StartServer, rambler_dir: Path
) -> None:
    server = start_server(rambler_dir, ANY_MODEL_NAME="1").wait_ready()
    with server.client() as client:
        stream = client.responses.create(
            input="Go on",
            background=True,
            stream=True,
            max_output_tokens=ENDLESS,
            model="any",
        )
        seen = [next(stream) for _ in range(8)]
        stream.close()
        response_id = seen[0].response.id
        again = client.responses.retrieve(response_id, stream=True, starting_after=3)
        assert [next(again) for _ in range(4)] == seen[4:]
        ended = client.responses.cancel(response_id)
        with pytest.raises(
            openai.APIError, match="cancelled with the key that began it"
        ):
            list(again)
        assert ended.status == "cancelled"
        assert client.responses.cancel(response_id) == ended
    row = row_of(server, ended)
    assert (row["outcome"], row["reason"]) == ("cancelled", "cancelled_by_client")
    snapshot = server.get("/v1/queue/stats")
    assert snapshot["queue_stats"]["active_requests"] == 0


def test_nothing_is_stored_where_that_is_turned_off(
    start_server: StartServer, tiny_model_dir: Path
) -> None:
    server = start_server(
        tiny_model_dir, ANY_MODEL_NAME="1", RESPONSES_RETENTION="0"
    ).wait_ready()
    asked = ask(server, "Hello")
    assert not asked.model_dump()["store"]
    with pytest.raises(openai.NotFoundError, match="RESPONSES_RETENTION"):
        found(server, asked.id)
    with pytest.raises(openai.BadRequestError, match="must be stored"):
        ask(server, "Hello", background=True)
    with pytest.raises(openai.NotFoundError), server.client() as client:
        client.conversations.create()
    assert not server.select("inference_responserow", "id")
