"""The usual wrong addresses are answered in JSON, with the right one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from inference.core.outcomes import Outcome
from inference.runtime.app import install_app
from mlxsite.asgi import application
from tests.api.cast import ASK, Client, House

if TYPE_CHECKING:
    from collections.abc import Iterator

CHAT = "/v1/chat/completions"


@pytest.fixture
def client(settings: Any) -> Iterator[Client]:
    """The whole application, with its outermost layers."""
    settings.ALLOWED_HOSTS = ["testserver"]
    yield Client(application)
    install_app(None)


@pytest.fixture
def house() -> House:
    """A server that needs no key."""
    made = House.build()
    install_app(made.app)
    return made


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/chat/completions", f"The right address is {CHAT} "),
        ("/v1/v1/chat/completions", f"The right address is {CHAT} "),
        ("/v1/chat/completions/", f"The right address is {CHAT} "),
        ("/v1//chat/completions", f"The right address is {CHAT} "),
        ("//v1/chat/completions", f"The right address is {CHAT} "),
        ("/api/v1/chat/completions", f"The right address is {CHAT} "),
        ("/openai/v1/chat/completions", f"The right address is {CHAT} "),
        ("/models", "The right address is /v1/models "),
        ("/models/org/tiny", "The right address is /v1/models/org/tiny "),
        ("/v1/models/", "The right address is /v1/models "),
        ("/v1/models/load/", "The right address is /v1/models/load "),
        ("/v1/chat/completion", f"does not offer that endpoint: use {CHAT}."),
        ("/v1/model", "Did you mean /v1/models?"),
        ("/v1/chat", f"does not offer that endpoint: use {CHAT}."),
        ("/api/generate", f"does not offer that endpoint: use {CHAT}."),
        ("/api/tags/", "does not offer that endpoint: use /v1/models."),
        ("/v1/audio/speech", "does not offer that endpoint."),
        ("/v1/images/generations", "does not offer that endpoint."),
        ("/v1/" + "x" * 5000, "Please check the URL for typos."),
    ],
)
async def test_it_names_the_right_address_in_answer_and_row(
    house: House, client: Client, path: str, words: str
) -> None:
    reply = await client.post(ASK, path=path).reply()
    assert (reply.status, reply.error["code"]) == (404, "unknown_url")
    assert words in reply.error["message"]
    row = house.ledger.only_row
    assert (row.outcome, row.endpoint) == (Outcome.INVALID, "/v1/*")
    assert row.error == reply.error["message"]
    assert reply.headers["x-request-id"] == row.request_id


async def test_the_pages_of_the_site_are_still_there(
    house: House, client: Client
) -> None:
    for path in ("/chat/", "/api/requests", "/v1/models/org/tiny"):
        assert b"unknown_url" not in (await client.get(path)).body


@pytest.mark.parametrize("sent", ["sesame", "Basic c2VzYW1l", "Token sesame"])
async def test_a_key_without_bearer_is_told_how_to_be_sent(
    client: Client, sent: str
) -> None:
    house = House.build(key="sesame")
    install_app(house.app)
    reply = await client.ask(ASK, authorization=sent)
    assert (reply.status, reply.error["code"]) == (401, "invalid_api_key")
    assert "Authorization: Bearer YOUR_KEY" in reply.error["message"]
    assert "does not use Bearer" in reply.error["message"]
    assert "sesame" not in reply.error["message"]
    assert house.ledger.only_row.outcome == Outcome.REJECTED
