"""Chat over a WebSocket, through Channels' own routing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import pytest
from channels.routing import URLRouter
from channels.testing import WebsocketCommunicator

from inference.core.errors import WorkerDiedError
from inference.core.limits import Limits
from inference.core.origins import AllowedOrigins
from inference.core.outcomes import Outcome, RequestKind
from inference.core.requests import Delta
from inference.routing import websocket_urlpatterns
from inference.runtime.app import install_app
from tests.api.cast import ASK, HELLO, MODEL, PATIENCE_S, House
from tests.api.stream_grammar import check_chunks

MakeHouse = Callable[..., House]
Connect = Callable[..., AbstractAsyncContextManager["Socket"]]


class Socket:
    """One client's connection."""

    def __init__(self, headers: dict[str, str]) -> None:
        pairs = [(k.encode(), v.encode()) for k, v in headers.items()]
        self.wire = WebsocketCommunicator(
            URLRouter(websocket_urlpatterns), "/ws/chat", headers=pairs
        )
        self.wire.scope["client"] = ["127.0.0.9", 4711]

    async def say(self, **message: Any) -> None:
        await self.wire.send_json_to(message)

    async def hear(self) -> dict[str, Any]:
        message = await self.wire.receive_json_from(timeout=PATIENCE_S)
        assert isinstance(message, dict)
        return message

    async def hear_all(self) -> list[dict[str, Any]]:
        """Read messages up to the one that ends the answer."""
        heard = [await self.hear()]
        while "type" not in heard[-1]:
            heard.append(await self.hear())
        return heard

    async def closing_code(self) -> int:
        message = await self.wire.receive_output(timeout=PATIENCE_S)
        assert message["type"] == "websocket.close"
        code = message["code"]
        assert isinstance(code, int)
        return code


@pytest.fixture
def make_house() -> Iterator[MakeHouse]:
    def make(*steps: Any, **options: Any) -> House:
        house = House.build(*steps, **options)
        install_app(house.app)
        return house

    yield make
    install_app(None)


@pytest.fixture
def connect() -> Connect:
    @asynccontextmanager
    async def connected(**headers: str) -> AsyncIterator[Socket]:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        socket = Socket({"host": "testserver"} | sent)
        accepted, code = await socket.wire.connect(timeout=PATIENCE_S)
        assert accepted, code
        yield socket
        await socket.wire.disconnect(timeout=PATIENCE_S)

    return connected


async def test_it_writes_the_same_chunks_as_the_http_stream(
    make_house: MakeHouse, connect: Connect
) -> None:
    house = make_house()
    async with connect(user_agent="tests/1") as socket:
        await socket.say(**ASK, model=MODEL, temperature=0.5)
        *chunks, end = await socket.hear_all()
    check_chunks(chunks, with_usage=False)
    row = house.ledger.only_row
    assert end == {"type": "done", "request_id": row.request_id}
    assert row.outcome is Outcome.FINISHED
    assert row.kind is RequestKind.TEXT_STREAM
    assert (row.endpoint, row.user_agent) == ("/ws/chat", "tests/1")
    assert row.client_host == "127.0.0.9"
    assert row.params["temperature"] == 0.5


async def test_it_names_the_parameters_it_ignored_at_the_end(
    make_house: MakeHouse, connect: Connect
) -> None:
    make_house()
    async with connect() as socket:
        await socket.say(**ASK, mirostat=1)
        assert (await socket.hear_all())[-1]["ignored_params"] == ["mirostat"]
        await socket.say(**ASK)
        assert "ignored_params" not in (await socket.hear_all())[-1]


async def test_its_end_names_what_means_nothing_to_the_model(
    make_house: MakeHouse, connect: Connect
) -> None:
    make_house().service.ignored = ("reasoning_effort",)
    async with connect() as socket:
        await socket.say(**ASK, reasoning_effort="low")
        end = (await socket.hear_all())[-1]
        assert end["ignored_params"] == ["reasoning_effort"]


async def test_its_end_says_whether_the_answer_fits_its_schema(
    make_house: MakeHouse, connect: Connect
) -> None:
    house = make_house()
    house.service.schema_check = "does-not-fit"
    async with connect() as socket:
        await socket.say(**ASK)
        assert (await socket.hear_all())[-1]["schema_check"] == "does-not-fit"
    warnings = house.ledger.only_row.warnings
    assert warnings == ("schema check: does-not-fit (uniqueItems)",)


async def test_it_refuses_what_nobody_knows_where_it_is_strict(
    make_house: MakeHouse, connect: Connect
) -> None:
    make_house(strict_params=True)
    async with connect() as socket:
        await socket.say(**ASK, mirostat=1)
        assert (await socket.hear())["error"]["code"] == "unknown_parameter"
        await socket.say(**ASK)
        assert (await socket.hear_all())[-1]["type"] == "done"


async def test_it_always_streams_and_sends_the_usage_when_asked(
    make_house: MakeHouse, connect: Connect
) -> None:
    house = make_house()
    async with connect() as socket:
        options = {"stream": False, "stream_options": {"include_usage": True}}
        await socket.say(type="chat", **ASK, **options)
        *chunks, end = await socket.hear_all()
    check_chunks(chunks, with_usage=True)
    assert end["type"] == "done"
    assert house.ledger.only_row.stream


async def test_it_answers_one_request_after_the_other_each_with_its_row(
    make_house: MakeHouse, connect: Connect
) -> None:
    house = make_house()
    async with connect() as socket:
        for _ in range(3):
            await socket.say(**ASK)
            assert (await socket.hear_all())[-1]["type"] == "done"
    ids = [row.request_id for row in house.ledger.finished]
    assert len(set(ids)) == 3
    assert [row.request_id for row in house.ledger.started] == ids


async def test_it_stops_when_the_client_cancels(
    make_house: MakeHouse, connect: Connect
) -> None:
    house = make_house(Delta("Hel"), asyncio.Event(), *HELLO)
    async with connect() as socket:
        await socket.say(**ASK)
        await asyncio.wait_for(house.service.waiting.wait(), PATIENCE_S)
        await socket.say(type="cancel")
        end = (await socket.hear_all())[-1]
        row = house.ledger.only_row
        assert end == {"type": "cancelled", "request_id": row.request_id}
        assert (row.outcome, row.reason) == (Outcome.CANCELLED, "cancelled_by_client")
        assert house.service.live == 0
        house.service.steps = HELLO
        await socket.say(**ASK)
        assert (await socket.hear_all())[-1]["type"] == "done"


async def test_it_cancels_a_request_that_had_not_begun(
    make_house: MakeHouse, connect: Connect
) -> None:
    house = make_house(asyncio.Event())
    async with connect() as socket:
        await socket.say(**ASK)
        await socket.say(type="cancel")
        assert (await socket.hear())["type"] == "cancelled"
    assert house.ledger.only_row.reason == "cancelled_by_client"


async def test_it_does_not_mind_a_cancel_with_nothing_to_cancel(
    make_house: MakeHouse, connect: Connect
) -> None:
    house = make_house()
    async with connect() as socket:
        await socket.say(type="cancel")
        await socket.say(**ASK)
        assert (await socket.hear_all())[-1]["type"] == "done"
        await socket.say(type="cancel")
        await socket.say(**ASK)
        assert (await socket.hear_all())[-1]["type"] == "done"
    assert {row.outcome for row in house.ledger.finished} == {Outcome.FINISHED}


async def test_it_lists_the_models_also_while_it_answers_and_leaves_no_row_of_that(
    make_house: MakeHouse, connect: Connect
) -> None:
    gate = asyncio.Event()
    house = make_house(gate, *HELLO)
    async with connect() as socket:
        await socket.say(type="models")
        listed = await socket.hear()
        assert (listed["type"], listed["object"]) == ("models", "list")
        assert [(m["id"], m["state"]) for m in listed["data"]] == [(MODEL, "ready")]
        await socket.say(**ASK)
        await asyncio.wait_for(house.service.waiting.wait(), PATIENCE_S)
        await socket.say(type="models")
        assert (await socket.hear())["type"] == "models"
        gate.set()
        assert (await socket.hear_all())[-1]["type"] == "done"
    assert house.ledger.only_row.outcome is Outcome.FINISHED


async def test_a_list_that_takes_long_keeps_nobody_from_cancelling(
    make_house: MakeHouse, connect: Connect
) -> None:
    house = make_house(asyncio.Event())
    slow = asyncio.Event()

    async def known_cards() -> tuple[Any, ...]:
        await slow.wait()
        return ()

    house.service.known_cards = known_cards  # type: ignore[method-assign]
    async with connect() as socket:
        await socket.say(**ASK)
        await socket.say(type="models")
        await socket.say(type="models")
        await socket.say(type="cancel")
        assert (await socket.hear())["type"] == "cancelled"
        slow.set()
        assert (await socket.hear())["data"] == []


async def test_it_says_that_the_models_could_not_be_listed(
    make_house: MakeHouse, connect: Connect
) -> None:
    house = make_house()

    async def known_cards() -> tuple[Any, ...]:
        raise ZeroDivisionError("a secret")

    house.service.known_cards = known_cards  # type: ignore[method-assign]
    async with connect() as socket:
        await socket.say(type="models")
        assert (await socket.hear())["error"]["code"] == "internal_error"


async def test_it_frees_the_seat_when_the_client_disconnects(
    make_house: MakeHouse, connect: Connect
) -> None:
    house = make_house(Delta("Hel"), asyncio.Event(), *HELLO)
    async with connect() as socket:
        await socket.say(**ASK)
        await asyncio.wait_for(house.service.waiting.wait(), PATIENCE_S)
    assert house.service.live == 0
    row = house.ledger.only_row
    assert (row.outcome, row.reason) == (Outcome.CANCELLED, "client_disconnected")


async def test_it_frees_the_seat_when_the_server_kills_the_connection(
    make_house: MakeHouse,
) -> None:
    house = make_house(Delta("Hel"), asyncio.Event(), *HELLO)
    socket = Socket({"host": "testserver"})
    await socket.wire.connect(timeout=PATIENCE_S)
    await socket.say(**ASK)
    await asyncio.wait_for(house.service.waiting.wait(), PATIENCE_S)
    socket.wire.future.cancel()
    await asyncio.wait((socket.wire.future,), timeout=PATIENCE_S)
    assert house.service.live == 0
    assert house.ledger.only_row.outcome is Outcome.CANCELLED


async def test_it_generates_one_answer_at_a_time(
    make_house: MakeHouse, connect: Connect
) -> None:
    gate = asyncio.Event()
    house = make_house(gate, *HELLO)
    async with connect() as socket:
        await socket.say(**ASK)
        await asyncio.wait_for(house.service.waiting.wait(), PATIENCE_S)
        await socket.say(**ASK)
        refusal = await socket.hear()
        assert refusal["type"] == "error"
        assert refusal["error"]["code"] == "generation_in_progress"
        gate.set()
        end = (await socket.hear_all())[-1]
        assert end["type"] == "done"
        assert end["request_id"] != refusal["request_id"]
    second, first = house.ledger.finished
    assert (second.outcome, second.reason) == (
        Outcome.INVALID,
        "generation_in_progress",
    )
    assert first.outcome is Outcome.FINISHED


@pytest.mark.parametrize(
    ("message", "code", "param"),
    [
        ({"type": "chat"}, "missing_required_parameter", "messages"),
        (ASK | {"audio": {}}, "unsupported_parameter", "audio"),
        (ASK | {"model": "gpt-9"}, "model_not_found", None),
        ({"type": "dance"}, "invalid_value", "type"),
        ({"type": 5}, "invalid_value", "type"),
        ({"type": ["chat"]}, "invalid_value", "type"),
    ],
)
async def test_it_names_what_is_wrong_and_goes_on(
    make_house: MakeHouse,
    connect: Connect,
    message: dict[str, Any],
    code: str,
    param: str | None,
) -> None:
    house = make_house()
    async with connect() as socket:
        await socket.say(**message)
        refusal = await socket.hear()
        assert refusal["type"] == "error"
        assert (refusal["error"]["code"], refusal["error"]["param"]) == (code, param)
        row = house.ledger.only_row
        assert refusal["request_id"] == row.request_id
        assert (row.outcome, row.reason) == (Outcome.INVALID, code)
        await socket.say(**ASK)
        assert (await socket.hear_all())[-1]["type"] == "done"


@pytest.mark.parametrize("text", ["", "{", "[]", '{"a": "\\ud800"}', "NaN"])
async def test_it_refuses_text_that_is_no_json_object(
    make_house: MakeHouse, connect: Connect, text: str
) -> None:
    house = make_house()
    async with connect() as socket:
        await socket.wire.send_input({"type": "websocket.receive", "text": text})
        assert (await socket.hear())["type"] == "error"
    assert house.ledger.only_row.outcome is Outcome.INVALID


async def test_it_bounds_a_message(make_house: MakeHouse, connect: Connect) -> None:
    house = make_house(limits=Limits(websocket_message_bytes=50))
    async with connect() as socket:
        await socket.say(type="chat", x="ö" * 30)
        refusal = await socket.hear()
        assert refusal["error"]["code"] == "message_too_large"
    assert house.ledger.only_row.outcome is Outcome.INVALID


async def test_it_refuses_binary_messages(
    make_house: MakeHouse, connect: Connect
) -> None:
    make_house()
    async with connect() as socket:
        await socket.wire.send_to(bytes_data=b"{}")
        assert (await socket.hear())["type"] == "error"
        assert await socket.closing_code() == 4003


async def test_it_tells_an_error_in_the_middle_and_stays_open(
    make_house: MakeHouse, connect: Connect
) -> None:
    house = make_house(Delta("Hel"), WorkerDiedError("The worker died."))
    async with connect() as socket:
        await socket.say(**ASK)
        end = (await socket.hear_all())[-1]
        assert end["error"]["code"] == "worker_died"
        assert house.ledger.only_row.outcome is Outcome.FAILED
        house.service.steps = HELLO
        await socket.say(**ASK)
        assert (await socket.hear_all())[-1]["type"] == "done"


async def test_it_hides_what_nobody_foresaw(
    make_house: MakeHouse, connect: Connect
) -> None:
    house = make_house(ZeroDivisionError("a secret"))
    async with connect() as socket:
        await socket.say(**ASK)
        end = await socket.hear()
        assert end["error"]["code"] == "internal_error"
        assert "secret" not in str(end)
    assert house.ledger.only_row.outcome is Outcome.FAILED


async def test_it_refuses_new_requests_while_draining(
    make_house: MakeHouse, connect: Connect
) -> None:
    house = make_house()
    house.service.is_draining = True
    async with connect() as socket:
        await socket.say(**ASK)
        assert (await socket.hear())["error"]["code"] == "shutting_down"
    assert house.ledger.only_row.outcome is Outcome.REJECTED


@pytest.mark.parametrize(
    "headers", [{"authorization": "Bearer sesame"}, {"x_api_key": "sesame"}]
)
async def test_it_takes_the_key_from_the_handshake(
    make_house: MakeHouse, connect: Connect, headers: dict[str, str]
) -> None:
    house = make_house(key="sesame")
    async with connect(**headers) as socket:
        await socket.say(**ASK)
        assert (await socket.hear_all())[-1]["type"] == "done"
    assert house.ledger.only_row.key_name == "api_key"


async def test_it_takes_the_key_from_the_first_message(
    make_house: MakeHouse, connect: Connect
) -> None:
    house = make_house(key="sesame")
    async with connect() as socket:
        await socket.say(type="auth", api_key="sesame")
        await socket.say(**ASK)
        assert (await socket.hear_all())[-1]["type"] == "done"
    assert house.ledger.only_row.key_name == "api_key"


@pytest.mark.parametrize(
    ("headers", "message"),
    [
        ({}, ASK),
        ({"authorization": "Bearer wrong"}, ASK),
        ({}, {"type": "auth", "api_key": "wrong"}),
        ({}, {"type": "auth", "api_key": ""}),
        ({}, {"type": "cancel"}),
        ({}, {"type": "models"}),
    ],
)
async def test_it_closes_on_a_client_without_a_key(
    make_house: MakeHouse,
    connect: Connect,
    headers: dict[str, str],
    message: dict[str, Any],
) -> None:
    house = make_house(key="sesame")
    async with connect(**headers) as socket:
        await socket.say(**message)
        assert (await socket.hear())["error"]["code"] == "invalid_api_key"
        assert await socket.closing_code() == 4401
    assert house.ledger.only_row.outcome is Outcome.REJECTED
    assert house.service.requests == []


async def test_what_follows_a_wrong_key_is_not_read(
    make_house: MakeHouse, connect: Connect
) -> None:
    house = make_house(key="sesame")
    async with connect() as socket:
        await socket.say(type="auth", api_key="wrong")
        await socket.say(type="auth", api_key="sesame")
        await socket.say(**ASK)
        assert (await socket.hear())["error"]["code"] == "invalid_api_key"
        assert await socket.closing_code() == 4401
        assert await socket.wire.receive_nothing()
    assert house.ledger.only_row.reason == "invalid_api_key"


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "http://testserver:1"]
)
async def test_it_refuses_a_page_of_another_site(
    make_house: MakeHouse, origin: str
) -> None:
    make_house()
    socket = Socket({"host": "testserver", "origin": origin})
    assert await socket.wire.connect(timeout=PATIENCE_S) == (False, 4403)


async def test_it_takes_a_page_whose_origin_is_listed(make_house: MakeHouse) -> None:
    make_house(origins=AllowedOrigins(["app://obsidian.md"]))
    for origin, taken in (("app://obsidian.md", True), ("app://other", False)):
        socket = Socket({"host": "testserver", "origin": origin})
        assert (await socket.wire.connect(timeout=PATIENCE_S))[0] is taken
        await socket.wire.disconnect()


async def test_it_lets_its_own_pages_in(
    make_house: MakeHouse, connect: Connect
) -> None:
    make_house(allowed_hosts=("ui.example",))
    for origin in ("http://testserver", "https://ui.example:8443"):
        async with connect(origin=origin) as socket:
            await socket.say(**ASK)
            assert (await socket.hear_all())[-1]["type"] == "done"
