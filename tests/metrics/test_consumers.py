"""The live dashboard's socket: who gets in, what is sent, how often, and what it does."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest
from asgiref.sync import SyncToAsync, sync_to_async
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.db import connections

import metrics.live.board
from inference.core.frames import PromptPrepared
from inference.core.outcomes import Operation, Outcome, Phase
from inference.core.requests import Delta
from inference.core.trace import Client
from inference.runtime.app import install_app
from metrics.consumers import FOREIGN_ORIGIN, SIGNED_OUT, TOO_MANY, LiveConsumer
from metrics.live import board_of
from metrics.live.snapshot import take_snapshot
from metrics.staff import CANCEL, WATCH
from tests.api.cast import MODEL, PATIENCE_S, House
from tests.metrics.dashboards import Dashboard, cookie_of, make_user, watching

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inference.core.trace import RequestTrace

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def house() -> Iterator[House]:
    """A server whose requests the test itself moves along."""
    house = House.build(version="1.2.3")
    house.service.memory_budget_bytes = 10_000  # type: ignore[attr-defined]
    install_app(house.app)
    yield house
    install_app(None)
    SyncToAsync.single_thread_executor.submit(_forget_connection).result()


def _forget_connection() -> None:
    """Leave no connection in Django's thread: tests without a database follow."""
    with suppress(AttributeError):
        del connections["default"]


@pytest.fixture
def staff() -> str:
    """The cookie of one who may watch and cancel."""
    return cookie_of(make_user("ann", WATCH, CANCEL))


def generation(house: House, **noted: Any) -> RequestTrace:
    """An open request for a text, as the front door leaves it."""
    trace = house.app.new_trace(
        endpoint="/v1/chat/completions",
        operation=Operation.CHAT,
        client=Client(client_host="10.0.0.1"),
    )
    trace._note(kind="text_stream", model=MODEL, **noted)
    trace.open()
    return trace


async def test_it_shows_staff_the_server_its_models_and_its_requests(
    house: House, staff: str
) -> None:
    trace = generation(house, key_name="ci-bot")
    trace.prepared([PromptPrepared(1, 7, 0.0)])
    trace.enter(Phase.PREFILL)
    for _ in range(3):
        trace.arrived(Delta("a"), 1)
    async with watching(staff) as dashboard:
        now = await dashboard.hear_now()
    assert now["server"]["version"] == "1.2.3"
    assert now["totals"]["budget_bytes"] == 10_000
    assert [(model["key"], model["state"]) for model in now["models"]] == [
        (MODEL, "ready")
    ]
    (request,) = now["requests"]
    assert request["id"] == trace.request_id
    assert (request["phase"], request["tokens"]) == ("decode", 3)
    assert (request["prompt_tokens"], request["key"]) == (7, "ci-bot")
    assert request["started_at"] == round(trace.record.started_at, 3)
    assert "prefill_s" in request["spent_s"]


async def test_it_says_who_is_next_in_line(house: House, staff: str) -> None:
    first, second = generation(house), generation(house)
    second.enter(Phase.QUEUED)
    first.enter(Phase.QUEUED)
    async with watching(staff) as dashboard:
        now = await dashboard.hear_now()
    places = {request["id"]: request["place"] for request in now["requests"]}
    assert places == {second.request_id: 1, first.request_id: 2}


async def test_it_tells_the_ends_of_requests_and_counts_them(
    house: House, staff: str
) -> None:
    async with watching(staff) as dashboard:
        await dashboard.hear_now()
        trace = generation(house)
        trace.finish()
        trace.close()
        now = await dashboard.hear_now()
    assert now["requests"] == []
    assert now["totals"]["outcomes"] == {"finished": 1}
    assert [row["id"] for row in now["ended"]] == [trace.request_id]


async def test_it_refuses_whoever_has_not_logged_in(house: House) -> None:
    for cookie in ("", "sessionid=unknown", "sessionid="):
        assert await Dashboard(cookie).opened() == (False, SIGNED_OUT)


@pytest.mark.parametrize(("is_staff", "rights"), [(False, [WATCH, CANCEL]), (True, [])])
def test_it_refuses_users_who_may_not_see_requests(
    house: House, is_staff: bool, rights: list[str]
) -> None:
    cookie = cookie_of(make_user("bob", *rights, is_staff=is_staff))

    async def refused() -> Any:
        return await Dashboard(cookie).opened()

    assert asyncio.run(refused()) == (False, SIGNED_OUT)


@pytest.mark.parametrize(
    "origin",
    [
        "",
        "null",
        "https://evil.example",
        "http://testserver.evil.example",
        # A page on another port of this machine gets the cookie, too.
        "http://testserver:3000",
        "file://testserver",
    ],
)
async def test_it_refuses_pages_that_are_not_its_own(
    house: House, staff: str, origin: str
) -> None:
    assert await Dashboard(staff, origin).opened() == (False, FOREIGN_ORIGIN)


async def test_it_lets_in_pages_of_trusted_origins(
    house: House, staff: str, settings: Any
) -> None:
    settings.CSRF_TRUSTED_ORIGINS = ["https://models.example"]
    dashboard = Dashboard(staff, "https://models.example")
    assert (await dashboard.opened())[0]
    await dashboard.wire.disconnect()


async def test_it_sends_at_most_four_updates_a_second(
    house: House, staff: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(metrics.live.board, "_Current", type("_", (), {"board": None}))
    board = board_of(house.app)
    board._tick_s = 0.01
    trace = generation(house)
    trace.enter(Phase.PREFILL)
    sent_at: list[float] = []
    send = LiveConsumer.send

    async def noted(consumer: LiveConsumer, text: str) -> None:
        sent_at.append(asyncio.get_running_loop().time())
        await send(consumer, text)

    monkeypatch.setattr(LiveConsumer, "send", noted)

    async def go_on() -> None:
        while True:
            trace.arrived(Delta("a"), 1)
            await asyncio.sleep(0.005)

    going = asyncio.create_task(go_on())
    async with watching(staff) as dashboard:
        for _ in range(7):
            await dashboard.hear_now()
    going.cancel()
    assert len(sent_at) >= 7
    fifths = zip(sent_at, sent_at[4:], strict=False)
    assert all(fifth - first > 0.999 for first, fifth in fifths)


async def test_it_sends_nothing_while_nothing_changes(house: House, staff: str) -> None:
    generation(house).enter(Phase.QUEUED)
    async with watching(staff) as dashboard:
        await dashboard.hear_now()
        board_of(house.app)._tick_s = 0.01
        assert await dashboard.heard_within(1.2) == 0


async def test_it_looks_once_for_all_dashboards_and_not_at_all_for_none(
    house: House, staff: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = 0
    take = take_snapshot

    def counted(*given: Any) -> Any:
        nonlocal looks
        looks += 1
        return take(*given)

    monkeypatch.setattr("metrics.live.board.take_snapshot", counted)
    async with watching(staff) as one, watching(staff) as two, watching(staff) as three:
        for dashboard in (one, two, three):
            await dashboard.hear_now()
        before = looks
        generation(house)
        for dashboard in (one, two, three):
            assert len((await dashboard.hear_now())["requests"]) == 1
        assert looks - before <= 2
    assert board_of(house.app).watchers == 0
    assert board_of(house.app)._looking is None


async def test_a_page_that_does_not_read_misses_updates_and_gets_the_newest_next(
    house: House, staff: str
) -> None:
    sent: list[str] = []
    sent_two = asyncio.Event()
    may_send = asyncio.Event()
    inbox: asyncio.Queue[dict[str, Any]] = asyncio.Queue()

    async def send(message: dict[str, Any]) -> None:
        if message["type"] == "websocket.send":
            sent.append(message["text"])
            if len(sent) == 2:
                sent_two.set()
            await may_send.wait()

    dashboard = Dashboard(staff)
    inbox.put_nowait({"type": "websocket.connect"})
    serving = asyncio.create_task(
        LiveConsumer.as_asgi()(dashboard.wire.scope, inbox.get, send)
    )
    async with watching(staff) as quick:
        for count in range(1, 5):
            generation(house)
            while len((await quick.hear_now())["requests"]) < count:
                pass
        assert len(sent) == 1
        may_send.set()
        await asyncio.wait_for(sent_two.wait(), PATIENCE_S)
    assert sent[1].count('"started_at"') == 1 + 4
    inbox.put_nowait({"type": "websocket.disconnect", "code": 1000})
    await asyncio.gather(serving, return_exceptions=True)


async def test_it_cancels_a_request_by_its_id(house: House, staff: str) -> None:
    trace = generation(house)
    async with watching(staff) as dashboard:
        answer = await dashboard.say(type="cancel", id=trace.request_id)
        assert answer == {"type": "cancelled", "id": trace.request_id, "done": True}
        again = await dashboard.say(type="cancel", id=trace.request_id)
        assert again["done"] is False
    row = house.ledger.only_row
    assert (row.outcome, row.reason) == (Outcome.CANCELLED, "cancelled_by_staff")
    assert row.http_status == 499


async def test_it_does_not_cancel_what_is_no_generation(
    house: House, staff: str
) -> None:
    trace = house.app.new_trace(endpoint="/v1/models/load")
    trace.open()
    async with watching(staff) as dashboard:
        now = await dashboard.hear_now()
        assert now["requests"][0]["can_cancel"] is False
        answer = await dashboard.say(type="cancel", id=trace.request_id)
    assert answer["done"] is False
    assert house.ledger.finished == []


async def test_it_lets_those_who_may_only_watch_cancel_nothing(house: House) -> None:
    make = sync_to_async(lambda: cookie_of(make_user("eve", WATCH)))
    trace = generation(house)
    async with watching(await make()) as dashboard:
        answer = await dashboard.say(type="cancel", id=trace.request_id)
    assert answer["type"] == "error"
    assert house.ledger.finished == []


async def log_out() -> None:
    await Session.objects.all().adelete()


async def lose_the_rights() -> None:
    await User.objects.aupdate(is_staff=False)


async def change_the_password() -> None:
    await User.objects.aupdate(password="another")


@pytest.mark.parametrize("deed", [log_out, lose_the_rights, change_the_password])
async def test_it_closes_the_socket_of_one_who_is_no_longer_let_in(
    house: House, staff: str, deed: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(LiveConsumer, "session_check_s", 0.05)
    async with watching(staff) as dashboard:
        await dashboard.hear_now()
        await deed()
        assert await dashboard.closing_code() == SIGNED_OUT
    assert board_of(house.app).watchers == 0


async def test_it_refuses_more_dashboards_than_it_keeps(
    house: House, staff: str
) -> None:
    board_of(house.app)._watchers_most = 1
    async with watching(staff):
        assert await Dashboard(staff).opened() == (False, TOO_MANY)
    async with watching(staff) as dashboard:
        await dashboard.hear_now()


@pytest.mark.parametrize(
    "sent", [{"type": "reboot"}, {"type": "cancel", "id": 7}, [], {"id": "x" * 2000}]
)
async def test_it_answers_nonsense_with_an_error_and_goes_on(
    house: House, staff: str, sent: Any
) -> None:
    async with watching(staff) as dashboard:
        await dashboard.hear_now()
        await dashboard.wire.send_json_to(sent)
        assert (await dashboard.hear())["type"] == "error"
        assert await dashboard.say(type="ping") == {"type": "pong"}
