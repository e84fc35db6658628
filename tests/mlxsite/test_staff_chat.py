"""Staff chat without a key, from a page of this server and as long as they are logged in."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
from asgiref.sync import SyncToAsync, sync_to_async
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.db import connections

from inference.runtime.app import install_app
from mlxsite.pages.sessions import StaffSessions
from tests.api.cast import ASK, PATIENCE_S, House
from tests.metrics.dashboards import cookie_of, make_user
from tests.test_consumers import Socket

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.django_db(transaction=True)
OWN = "http://testserver"


@pytest.fixture
def house() -> Iterator[House]:
    """A server that asks for a key."""
    house = House.build(key="sesame", sessions=StaffSessions())
    install_app(house.app)
    yield house
    install_app(None)
    SyncToAsync.single_thread_executor.submit(_forget_connection).result()


def _forget_connection() -> None:
    with suppress(AttributeError):
        del connections["default"]


async def opened(cookie: str, *, origin: str = OWN) -> Socket:
    headers = {"host": "testserver", "cookie": cookie}
    socket = Socket(headers | ({"origin": origin} if origin else {}))
    assert (await socket.wire.connect(timeout=PATIENCE_S))[0]
    return socket


async def refused(socket: Socket) -> bool:
    """Whether the next question is refused for want of a key, and the line closed."""
    await socket.say(**ASK)
    heard = await socket.hear_all()
    if heard[-1]["type"] == "done":
        return False
    assert heard[-1]["error"]["code"] == "invalid_api_key"
    assert await socket.closing_code() == 4401
    return True


async def test_a_session_of_staff_stands_in_for_the_key_and_is_named_in_the_row(
    house: House,
) -> None:
    cookie = await sync_to_async(cookie_of)(await sync_to_async(make_user)("ann"))
    socket = await opened(cookie)
    await socket.say(type="models")
    assert (await socket.hear())["type"] == "models"
    assert not await refused(socket)
    await socket.wire.disconnect(timeout=PATIENCE_S)
    assert house.ledger.only_row.key_name == "staff:ann"


@pytest.mark.parametrize(
    "origin", ["", "http://testserver:9000", "https://elsewhere.example", "null"]
)
async def test_a_session_is_worth_nothing_on_another_page(
    house: House, origin: str
) -> None:
    """The cookie of 127.0.0.1 travels with what pages on its other ports open."""
    cookie = await sync_to_async(cookie_of)(await sync_to_async(make_user)("ann"))
    socket = Socket({"host": "testserver", "cookie": cookie, "origin": origin})
    accepted, code = await socket.wire.connect(timeout=PATIENCE_S)
    if accepted:
        assert await refused(socket)
    else:
        assert code == 4403
    assert house.service.requests == []


async def test_who_logs_out_is_refused_at_the_next_question(house: House) -> None:
    cookie = await sync_to_async(cookie_of)(await sync_to_async(make_user)("ann"))
    socket = await opened(cookie)
    assert not await refused(socket)
    await Session.objects.all().adelete()
    assert await refused(socket)


async def test_who_is_no_longer_staff_is_refused(house: House) -> None:
    cookie = await sync_to_async(cookie_of)(await sync_to_async(make_user)("ann"))
    socket = await opened(cookie)
    assert not await refused(socket)
    await User.objects.aupdate(is_staff=False)
    assert await refused(socket)


async def test_a_key_that_is_sent_counts_and_not_the_session(house: House) -> None:
    cookie = await sync_to_async(cookie_of)(await sync_to_async(make_user)("ann"))
    socket = await opened(cookie)
    await socket.say(type="auth", api_key="sesame")
    await Session.objects.all().adelete()
    assert not await refused(socket)
    await socket.wire.disconnect(timeout=PATIENCE_S)
    assert house.ledger.only_row.key_name == "api_key"


async def test_a_session_of_nobody_is_refused(house: House) -> None:
    assert await refused(await opened("sessionid=0123456789abcdef"))
