"""Responses that are kept: shown, followed, listed, cancelled, forgotten."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import openresponses_types as open_responses
import pytest
from openai.types import responses as openai_responses
from pydantic import TypeAdapter

from inference.core.errors import StoreUnavailableError
from inference.core.outcomes import Operation
from inference.core.requests import Delta
from tests.api.cast import HELLO, MODEL, USAGE, Client, House, Reply
from tests.response_store.cast import Locked, response, storing

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from inference.response_store import DatabaseResponseStore

PATH = "/v1/responses"
_OPENAI_EVENT: TypeAdapter[Any] = TypeAdapter(openai_responses.ResponseStreamEvent)
KEY = {"authorization": "Bearer secret"}


class Desk:
    """A client of a server that keeps responses."""

    def __init__(self, client: Client, house: House) -> None:
        self.client = client
        self.house = house

    async def create(self, **body: Any) -> Reply:
        asked = {"model": MODEL, "input": "Hi"} | body
        return await self.client.post(asked, PATH, **KEY).reply()

    async def created(self, **body: Any) -> dict[str, Any]:
        reply = await self.create(**body)
        assert reply.status == 200, reply.body
        return dict(reply.json)

    async def get(self, *path: str) -> Reply:
        return await self.client.get("/".join((PATH, *path)), **KEY)

    async def send(self, method: str, *path: str, **headers: str) -> Reply:
        where = "/".join((PATH, *path))
        return await self.client.open(method, where, headers=KEY | headers).reply()

    async def status(self, response_id: str) -> str:
        return str((await self.get(response_id)).json["status"])

    async def ended(self) -> None:
        for answer in list(self.house.app.background._answers.values()):
            await answer.log.ended()


@pytest.fixture
def desk(
    client: Client,
    make_house: Callable[..., House],
    kept: DatabaseResponseStore,
) -> Callable[..., Desk]:
    def open_desk(*steps: Any, **options: Any) -> Desk:
        house = make_house(*steps, key="secret", **{"responses": kept} | options)
        return Desk(client, house)

    return open_desk


def events_of(reply: Reply) -> list[dict[str, Any]]:
    assert reply.status == 200, reply.body
    assert reply.headers["content-type"] == "text/event-stream"
    *blocks, done, rest = reply.body.decode().split("\n\n")
    assert (done, rest) == ("data: [DONE]", "")
    found = []
    for block in blocks:
        if not block.startswith(":"):
            name, data = block.split("\n")
            found.append(json.loads(data.removeprefix("data: ")))
            assert name == f"event: {found[-1]['type']}"
    return found


async def test_a_response_is_shown_as_it_was_told(desk: Callable[..., Desk]) -> None:
    at = desk()
    told = await at.created()
    reply = await at.get(told["id"])
    assert (reply.status, reply.json) == (200, told)
    assert told["status"] == "completed"


async def test_reading_leaves_no_row_and_counts_as_nothing(
    desk: Callable[..., Desk],
) -> None:
    at = desk()
    told = await at.created()
    await at.get(told["id"])
    await at.get(told["id"], "input_items")
    assert len(at.house.ledger.finished) == 1


async def test_forgetting_leaves_a_row_that_is_no_generation(
    desk: Callable[..., Desk],
) -> None:
    at = desk()
    told = await at.created()
    reply = await at.send("DELETE", told["id"])
    assert reply.json == {"id": told["id"], "object": "response", "deleted": True}
    row = at.house.ledger.finished[-1]
    assert row.endpoint == "/v1/responses/{id}"
    assert (row.outcome, row.http_status, row.key_name) == ("finished", 200, "api_key")
    assert not Operation.OTHER.is_cancellable
    assert (await at.get(told["id"])).status == 404
    assert (await at.send("DELETE", told["id"])).status == 404
    assert at.house.ledger.finished[-1].outcome == "invalid"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "resp_none"),
        ("GET", "resp_none?stream=true"),
        ("GET", "resp_none/input_items"),
        ("DELETE", "resp_none"),
        ("POST", "resp_none/cancel"),
        # It is another key's.
        ("GET", "resp_others"),
        ("GET", "resp_others?stream=true"),
        ("GET", "resp_others/input_items"),
        ("DELETE", "resp_others"),
        ("POST", "resp_others/cancel"),
    ],
)
async def test_what_is_not_there_for_the_key_is_a_404(
    desk: Callable[..., Desk],
    kept: DatabaseResponseStore,
    method: str,
    path: str,
) -> None:
    await kept.save(response("others", key_name="others"))
    reply = await desk().send(method, path)
    assert reply.status == 404
    assert "not found" in reply.error["message"]
    assert reply.error["type"] == "invalid_request_error"
    assert await kept.response("resp_others", "others") is not None


@pytest.mark.parametrize(
    ("path", "param"),
    [
        ("hello", "response_id"),
        ("conv_1", "response_id"),
        ("resp_ü", "response_id"),
        ("resp_" + "x" * 90, "response_id"),
        ("resp_a%00", "response_id"),
        ("hello/input_items", "response_id"),
        ("resp_a?stream=maybe", "stream"),
        ("resp_a?stream=true&starting_after=-1", "starting_after"),
        ("resp_a?stream=true&starting_after=x", "starting_after"),
        ("resp_a?starting_after=3", "starting_after"),
        ("resp_a/input_items?limit=0", "limit"),
        ("resp_a/input_items?limit=101", "limit"),
        ("resp_a/input_items?limit=" + "9" * 5000, "limit"),
        ("resp_a/input_items?order=up", "order"),
        ("resp_a/input_items?after=nobody", "after"),
    ],
)
async def test_what_cannot_be_read_is_a_400_that_names_it(
    desk: Callable[..., Desk], kept: DatabaseResponseStore, path: str, param: str
) -> None:
    await kept.save(response("a", key_name="api_key"))
    reply = await desk().get(path)
    assert (reply.status, reply.error["param"]) == (400, param)


async def test_no_key_no_response(desk: Callable[..., Desk]) -> None:
    at = desk()
    told = await at.created()
    assert (await at.client.get(f"{PATH}/{told['id']}")).status == 401


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
async def test_other_methods_are_a_405(desk: Callable[..., Desk], method: str) -> None:
    reply = await desk().send(method, "resp_a")
    assert (reply.status, reply.headers["allow"]) == (405, "GET, DELETE, HEAD")


async def test_what_was_asked_is_listed_page_by_page(
    desk: Callable[..., Desk],
) -> None:
    at = desk()
    said = [{"role": "user", "content": f"word {n}"} for n in range(5)]
    told = await at.created(input=said)

    async def page(query: str) -> tuple[list[str], Any]:
        found = (await at.get(told["id"], f"input_items?{query}")).json
        assert found["object"] == "list"
        data = found["data"]
        assert [found["first_id"], found["last_id"]] == [data[0]["id"], data[-1]["id"]]
        return [item["content"][0]["text"] for item in data], found

    texts, first = await page("limit=2")
    assert (texts, first["has_more"]) == (["word 4", "word 3"], True)
    texts, second = await page(f"limit=2&after={first['last_id']}")
    assert (texts, second["has_more"]) == (["word 2", "word 1"], True)
    texts, third = await page(f"limit=2&after={second['last_id']}")
    assert (texts, third["has_more"]) == (["word 0"], False)
    texts, whole = await page("order=asc")
    assert (texts, whole["has_more"]) == ([f"word {n}" for n in range(5)], False)
    assert whole["data"][0]["role"] == "user"


async def test_the_events_of_a_stream_are_told_again(
    desk: Callable[..., Desk],
) -> None:
    at = desk()
    told = events_of(await at.create(stream=True))
    response_id = told[-1]["response"]["id"]
    again = events_of(await at.get(f"{response_id}?stream=true"))
    assert again == told
    later = events_of(await at.get(f"{response_id}?stream=true&starting_after=2"))
    assert later == told[3:]


async def test_of_a_response_without_events_the_end_is_told(
    desk: Callable[..., Desk],
) -> None:
    at = desk()
    told = await at.created()
    (end,) = events_of(await at.get(f"{told['id']}?stream=true"))
    assert (end["type"], end["response"]) == ("response.completed", told)


@pytest.mark.parametrize("stream", [False, True])
async def test_nothing_is_there_where_nothing_is_stored(
    desk: Callable[..., Desk], stream: bool
) -> None:
    at = desk(responses=None)
    told = await at.created()
    query = "?stream=true" if stream else ""
    reply = await at.get(told["id"] + query)
    assert reply.status == 404
    assert "RESPONSES_RETENTION" in reply.error["message"]


# --- in the background


async def test_it_is_queued_at_once_and_ends_while_nobody_listens(
    desk: Callable[..., Desk],
) -> None:
    gate = asyncio.Event()
    at = desk(HELLO[0], gate, *HELLO[1:])
    told = await at.created(background=True)
    assert (told["status"], told["background"], told["output"]) == ("queued", True, [])
    open_responses.ResponseResource.model_validate(told)
    await at.house.service.waiting.wait()
    assert await at.status(told["id"]) == "in_progress"
    assert not at.house.ledger.finished
    gate.set()
    await at.ended()
    found = (await at.get(told["id"])).json
    assert found["status"] == "completed"
    assert found["output"][0]["content"][0]["text"] == "Hello"
    row = at.house.ledger.only_row
    assert (row.outcome, row.http_status, row.endpoint) == ("finished", 200, PATH)
    assert row.completion_tokens == 2


async def test_it_is_followed_from_any_event_on(desk: Callable[..., Desk]) -> None:
    gate = asyncio.Event()
    at = desk(HELLO[0], gate, *HELLO[1:])
    told = await at.created(background=True)
    await at.house.service.waiting.wait()
    whole = asyncio.create_task(at.get(f"{told['id']}?stream=true"))
    later = asyncio.create_task(at.get(f"{told['id']}?stream=true&starting_after=3"))
    await asyncio.sleep(0.01)
    assert not whole.done()
    gate.set()
    events = events_of(await whole)
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    assert [event["type"] for event in events[:3]] == [
        *("response.created", "response.queued", "response.in_progress")
    ]
    assert [event["response"]["status"] for event in events[:3]] == [
        *("queued", "queued", "in_progress")
    ]
    assert events[-1]["type"] == "response.completed"
    open_responses.ResponseQueuedStreamingEvent.model_validate(events[1])
    for event in events:
        _OPENAI_EVENT.validate_python(event)
    assert events_of(await later) == events[4:]
    await at.ended()
    assert events_of(await at.get(f"{told['id']}?stream=true")) == events


async def test_who_drops_off_its_stream_may_come_back(
    desk: Callable[..., Desk],
) -> None:
    gate = asyncio.Event()
    at = desk(HELLO[0], gate, *HELLO[1:])
    asked = {"input": "Hi", "background": True, "stream": True}
    exchange = at.client.post(asked, PATH, **KEY)
    await exchange.next()
    first = json.loads((await exchange.next_body()).split(b"data: ")[1].split(b"\n")[0])
    await at.house.service.waiting.wait()
    await exchange.leave()
    assert not at.house.ledger.finished
    gate.set()
    await at.ended()
    assert at.house.ledger.only_row.outcome == "finished"
    response_id = first["response"]["id"]
    events = events_of(await at.get(f"{response_id}?stream=true&starting_after=0"))
    assert events[0]["sequence_number"] == 1
    assert events[-1]["response"]["output"][0]["content"][0]["text"] == "Hello"


async def test_it_is_cancelled_by_its_id(desk: Callable[..., Desk]) -> None:
    gate = asyncio.Event()
    at = desk(HELLO[0], gate, *HELLO[1:])
    told = await at.created(background=True)
    await at.house.service.waiting.wait()
    cancelling = asyncio.create_task(at.send("POST", told["id"], "cancel"))
    await at.house.ledger.ended.wait()
    # As a worker would, the script goes on where it was.
    gate.set()
    reply = await cancelling
    assert (reply.status, reply.json["status"]) == (200, "cancelled")
    again = await at.send("POST", told["id"], "cancel")
    assert again.json == reply.json
    outcomes = [(row.endpoint, row.outcome) for row in at.house.ledger.finished]
    assert outcomes == [
        (PATH, "cancelled"),
        (f"{PATH}/{{id}}/cancel", "finished"),
        (f"{PATH}/{{id}}/cancel", "finished"),
    ]
    assert at.house.service.live == 0


async def test_only_what_is_in_the_background_is_cancelled(
    desk: Callable[..., Desk],
) -> None:
    at = desk()
    told = await at.created()
    reply = await at.send("POST", told["id"], "cancel")
    assert (reply.status, reply.error["param"]) == (400, "response_id")


async def test_what_has_ended_stays_as_it_is_when_it_is_cancelled(
    desk: Callable[..., Desk],
) -> None:
    at = desk()
    told = await at.created(background=True)
    await at.ended()
    reply = await at.send("POST", told["id"], "cancel")
    assert (reply.status, reply.json["status"]) == (200, "completed")


async def test_what_is_forgotten_meanwhile_does_not_come_back(
    desk: Callable[..., Desk],
) -> None:
    gate = asyncio.Event()
    at = desk(HELLO[0], gate, *HELLO[1:])
    told = await at.created(background=True)
    await at.house.service.waiting.wait()
    assert (await at.send("DELETE", told["id"])).status == 200
    gate.set()
    await at.ended()
    assert (await at.get(told["id"])).status == 404


@pytest.mark.parametrize("asked", [{"store": False}, {}])
async def test_what_is_not_stored_is_not_answered_in_the_background(
    desk: Callable[..., Desk], asked: dict[str, Any]
) -> None:
    at = desk() if asked else desk(responses=None)
    reply = await at.create(background=True, **asked)
    assert (reply.status, reply.error["param"]) == (400, "background")
    assert at.house.ledger.only_row.outcome == "invalid"


async def test_what_fails_in_the_background_says_so(
    desk: Callable[..., Desk],
) -> None:
    at = desk(Delta("Hel"), RuntimeError("out of luck"))
    told = await at.created(background=True)
    await at.ended()
    found = (await at.get(told["id"])).json
    assert (found["status"], found["error"]["code"]) == ("failed", "server_error")
    assert at.house.ledger.only_row.outcome == "failed"


async def test_an_unknown_model_is_told_at_once(desk: Callable[..., Desk]) -> None:
    at = desk()
    reply = await at.create(background=True, model="nobody")
    assert reply.status == 404
    assert at.house.ledger.only_row.outcome == "invalid"
    assert not len(at.house.app.background)


class Troubled:
    """A store whose database goes away for a while after the first time."""

    retention_s = 60.0

    def __init__(self, store: DatabaseResponseStore, *, saves: int) -> None:
        self._store = store
        self.saves = saves
        self.tried = asyncio.Event()

    async def save(self, kept: Any) -> None:
        if not self.saves:
            self.tried.set()
            raise StoreUnavailableError("locked")
        self.saves -= 1
        await self._store.save(kept)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


async def test_what_cannot_be_stored_is_not_begun(
    desk: Callable[..., Desk], kept: DatabaseResponseStore
) -> None:
    at = desk(responses=Troubled(kept, saves=0))
    reply = await at.create(background=True)
    assert (reply.status, reply.error["code"]) == (503, "store_unavailable")
    row = at.house.ledger.only_row
    assert (row.outcome, row.reason) == ("failed", "store_unavailable")
    assert at.house.service.live == 0
    assert not at.house.service.requests


async def test_its_end_waits_for_a_database_that_is_away(
    desk: Callable[..., Desk],
    kept: DatabaseResponseStore,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("inference.faces.responses.background.RETRY_S", 0.01)
    store = Troubled(kept, saves=1)
    at = desk(responses=store)
    told = await at.created(background=True)
    await store.tried.wait()
    assert await at.status(told["id"]) != "completed"
    store.saves = 9
    await at.ended()
    assert await at.status(told["id"]) == "completed"
    assert at.house.ledger.only_row.outcome == "finished"


async def test_what_is_too_large_at_its_end_has_failed(
    desk: Callable[..., Desk], sqlite_file: Any
) -> None:
    async with storing(clock=None, most_bytes=6000) as small:
        at = desk(
            Delta("x" * 9000),
            Delta("", finish_reason="stop", usage=USAGE),
            responses=small,
        )
        told = await at.created(background=True)
        await at.ended()
        found = (await at.get(told["id"])).json
    assert (found["status"], found["output"]) == ("failed", [])
    assert at.house.ledger.only_row.reason == "response_too_large"


async def test_what_nobody_answers_any_more_has_failed(
    desk: Callable[..., Desk], kept: DatabaseResponseStore
) -> None:
    left = {"status": "queued", "key_name": "api_key"}
    await kept.save(response("a", **left))
    at = desk()
    assert await at.status("resp_a") == "failed"
    (end,) = events_of(await at.get("resp_a?stream=true"))
    assert end["type"] == "response.failed"


async def test_what_another_server_answers_is_followed_there(
    desk: Callable[..., Desk], sqlite_file: Any
) -> None:
    async with storing(clock=None, boot_id="another") as others:
        await others.save(response("a", status="in_progress", key_name="api_key"))
    at = desk()
    assert await at.status("resp_a") == "in_progress"
    reply = await at.get("resp_a?stream=true")
    assert (reply.status, reply.error["param"]) == (400, "stream")


@pytest.mark.parametrize(("method", "path"), [("POST", ""), ("DELETE", "/resp_a")])
async def test_a_locked_database_ends_a_request_and_its_row_says_so(
    desk: Callable[..., Desk], sqlite_file: Path, method: str, path: str
) -> None:
    async with storing(clock=None, patience_s=0.3) as store:
        await store.save(response("a", status="queued", key_name="api_key"))
        at, lock = desk(responses=store), Locked(sqlite_file)
        asked = b'{"input": "Hi"}'
        headers = KEY | {"content-type": "application/json"}
        exchange = at.client.open(method, PATH + path, body=asked, headers=headers)
        reply = await exchange.reply()
        lock.let_go()
    assert (reply.status, reply.error["code"]) == (503, "store_unavailable")
    assert reply.headers["retry-after"] == "5"
    row = at.house.ledger.only_row
    assert (row.outcome, row.reason) == ("failed", "store_unavailable")


async def test_many_events_are_told_again_in_their_order(
    desk: Callable[..., Desk], kept: DatabaseResponseStore
) -> None:
    said = [
        {"type": "response.output_text.delta", "sequence_number": n} for n in range(600)
    ]
    said.append({"type": "response.completed", "sequence_number": 600})
    await kept.save(response("a", events=tuple(said), key_name="api_key"))
    at = desk()
    assert events_of(await at.get("resp_a?stream=true")) == said
    later = events_of(await at.get("resp_a?stream=true&starting_after=299"))
    assert later == said[300:]
    assert events_of(await at.get("resp_a?stream=true&starting_after=600")) == []
