"""Pages and apps of other origins call the API where the operator says so."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from inference.auth import Readers, SharedKey
from inference.core.origins import AllowedOrigins
from inference.core.outcomes import Outcome
from inference.runtime.app import install_app
from mlxsite.asgi import application
from mlxsite.checks import exposure_errors
from mlxsite.options import cors_origins
from tests.api.cast import ASK, HELLO, Client, House, Reply
from tests.shelf import Shelf
from tests.shelf import shelf as empty_shelf

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["empty_shelf"]

CHAT = "/v1/chat/completions"
APP = "app://obsidian.md"
LISTED = (APP, "chrome-extension://abc", "http://localhost:*", "https://chat.example")


@pytest.fixture
def client(settings: Any) -> Iterator[Client]:
    """The whole application, with its outermost layers."""
    settings.ALLOWED_HOSTS = ["testserver"]
    yield Client(application)
    install_app(None)


def open_house(*origins: str, key: str = "", **options: Any) -> House:
    """Install a server that these origins may call."""
    allowed, keys = AllowedOrigins(origins), SharedKey(key)
    readers = Readers(keys, allowed_hosts=("testserver",), origins=allowed)
    house = House.build(*HELLO, key=key, origins=allowed, readers=readers, **options)
    install_app(house.app)
    return house


async def preflight(client: Client, origin: str, path: str = CHAT) -> Reply:
    headers = {
        "origin": origin,
        "access-control-request-method": "POST",
        "access-control-request-headers": "authorization,x-stainless-os",
    }
    return await client.open("OPTIONS", path, headers=headers).reply()


def allowed(reply: Reply) -> str | None:
    return reply.headers.get("access-control-allow-origin")


@pytest.mark.parametrize("path", [CHAT, "/v1/models", "/api/requests", "/v1/nothing"])
@pytest.mark.parametrize(
    "origin",
    [APP, "chrome-extension://abc", "http://localhost:3000", "http://localhost"],
)
async def test_it_answers_the_preflight_of_an_origin_that_is_listed(
    client: Client, origin: str, path: str
) -> None:
    open_house(*LISTED, key="sesame")
    reply = await preflight(client, origin, path)
    assert (reply.status, allowed(reply)) == (204, origin)
    assert reply.headers["access-control-allow-headers"] == (
        "authorization,x-stainless-os"
    )
    assert "POST" in reply.headers["access-control-allow-methods"]
    assert reply.headers["vary"] == "Origin"
    assert "access-control-allow-credentials" not in reply.headers


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example",
        "http://localhost.evil.example",
        "http://localhost.evil.example:80",
        "https://localhost:3000",
        "https://chat.example:8443",
        "https://chat.example.evil",
        "chrome-extension://other",
        "app://obsidian.md.evil",
        "null",
    ],
)
async def test_others_are_refused_by_the_name_of_the_setting(
    client: Client, origin: str
) -> None:
    house = open_house(*LISTED)
    asked = await preflight(client, origin)
    assert (asked.status, allowed(asked)) == (403, None)
    assert asked.headers["x-request-id"] == house.ledger.only_row.request_id
    assert house.ledger.only_row.outcome == Outcome.REJECTED
    answered = await client.ask(ASK, origin=origin)
    assert (answered.status, allowed(answered)) == (403, None)
    assert asked.error == answered.error
    assert answered.error["code"] == "cross_site_request"
    assert ("CORS_ORIGINS" in answered.error["message"]) == (origin != "null")
    assert house.service.requests == []


async def test_nobody_is_allowed_where_nothing_is_said(client: Client) -> None:
    open_house()
    for origin in (APP, "http://localhost:3000"):
        assert (await preflight(client, origin)).status == 403
        assert allowed(await client.ask(ASK, origin=origin)) is None
    # Its own pages need no leave.
    assert (await client.ask(ASK, origin="http://testserver")).status == 200


@pytest.mark.parametrize("stream", [False, True])
async def test_an_allowed_page_reads_the_answer_and_its_headers(
    client: Client, stream: bool
) -> None:
    house = open_house(*LISTED)
    reply = await client.ask({**ASK, "stream": stream, "who_knows": 1}, origin=APP)
    assert (reply.status, allowed(reply)) == (200, APP)
    assert b"lo" in reply.body
    exposed = reply.headers["access-control-expose-headers"].split(", ")
    assert {"x-request-id", "x-ignored-params"} <= set(exposed)
    assert house.ledger.only_row.outcome == Outcome.FINISHED


async def test_an_allowed_page_reads_why_it_was_refused(client: Client) -> None:
    house = open_house(*LISTED, key="sesame")
    assert (await client.ask(ASK, origin=APP)).status == 401
    house.service.is_draining = True
    reply = await client.ask(ASK, origin=APP, authorization="Bearer sesame")
    assert (reply.status, allowed(reply)) == (503, APP)
    assert "retry-after" in reply.headers["access-control-expose-headers"]


async def test_everybody_may_come_who_has_the_key(client: Client) -> None:
    open_house("*", key="sesame")
    origin = "https://any.example"
    assert (await preflight(client, origin)).status == 204
    assert (await client.ask(ASK, origin=origin)).status == 401
    reply = await client.ask(ASK, origin=origin, authorization="Bearer sesame")
    assert (reply.status, allowed(reply)) == (200, origin)


def test_everybody_may_not_come_without_a_key(empty_shelf: Shelf) -> None:
    config = replace(empty_shelf.config(), cors_origins=("*",))
    (error,) = exposure_errors(config)
    assert error.id == "mlxsite.E011"
    assert "CORS_ORIGINS=*" in error.msg
    assert not list(exposure_errors(replace(config, api_key="sesame")))


@pytest.mark.django_db(transaction=True)
async def test_a_listed_page_reads_the_record_with_the_key_but_with_no_session(
    client: Client,
) -> None:
    open_house(*LISTED, key="sesame")
    sent = {"origin": APP, "authorization": "Bearer sesame"}
    reply = await client.get("/api/nothing", **sent)
    assert (reply.status, allowed(reply)) == (404, APP)
    reply = await client.get("/api/nothing", **sent, cookie="sessionid=x")
    assert reply.status == 403
    assert "session" in reply.error["message"]
    other = {**sent, "origin": "https://evil.example"}
    assert (await client.get("/api/nothing", **other)).status == 403


async def test_pages_beside_the_api_are_for_nobody_elses_scripts(
    client: Client,
) -> None:
    open_house(*LISTED)
    for path in ("/health", "/metrics", "/static/inference/models.css"):
        assert allowed(await client.get(path, origin=APP)) is None


@pytest.mark.parametrize(
    "text", ["localhost:3000", "https://*", "http://*:80", "https://a.example/", "null"]
)
def test_what_is_no_origin_is_refused_at_the_start(text: str) -> None:
    with pytest.raises(Exception, match=r"^CORS_ORIGINS must be origins such as"):
        cors_origins([text])
    assert cors_origins(["https://a.example", "*"]) == ["https://a.example", "*"]
