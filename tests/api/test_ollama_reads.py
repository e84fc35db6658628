"""What clients of Ollama read before they ask: `/api/version`, `tags`, `show`, `ps`."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from inference.core.outcomes import ModelState, Outcome
from inference.runtime.app import install_app
from mlxsite.asgi import application
from tests.api.cast import MODEL, Client, House

if TYPE_CHECKING:
    from collections.abc import Iterator

FACTS: dict[str, Any] = {
    "context_length": 40_960,
    "size_bytes": 2_000_000,
    "memory_bytes": 3_000_000,
    "capabilities": ("text", "tools", "thinking"),
    "computes_on": "metal",
    "created": 1_700_000_000,
    "state": ModelState.READY,
}


@pytest.fixture
def client(settings: Any) -> Iterator[Client]:
    """The whole application, with its outermost layers."""
    settings.ALLOWED_HOSTS = ["testserver"]
    yield Client(application)
    install_app(None)


def house_with(key: str = "", **facts: Any) -> House:
    """A server whose model is known better."""
    house = House.build(key=key)
    card = msgspec.structs.replace(house.service.card, **(FACTS | facts))
    house.service.card = card
    install_app(house.app)
    return house


async def test_it_tells_a_version_that_clients_accept(client: Client) -> None:
    house_with()
    told = (await client.get("/api/version")).json["version"]
    # What VS Code asks for at least.
    assert tuple(map(int, told.split("."))) >= (0, 6, 4)


async def test_it_lists_models_with_size_date_and_a_digest(client: Client) -> None:
    house_with()
    (model,) = (await client.get("/api/tags")).json["models"]
    assert (model["name"], model["model"], model["size"]) == (MODEL, MODEL, 2_000_000)
    assert datetime.fromisoformat(model["modified_at"]).timestamp() == 1_700_000_000
    assert len(bytes.fromhex(model["digest"])) == 32
    assert model["details"]["families"] == [model["details"]["family"]]


async def test_it_shows_what_a_model_can_do_and_how_much_it_takes(
    client: Client,
) -> None:
    house = house_with()
    for body in (
        {"model": MODEL},
        {"model": f"{MODEL}:latest"},
        {"name": MODEL, "verbose": True},
    ):
        shown = (await client.post(body, path="/api/show").reply()).json
        architecture = shown["model_info"]["general.architecture"]
        assert shown["model_info"][f"{architecture}.context_length"] == 40_960
        assert shown["capabilities"] == ["completion", "tools", "thinking"]
    assert {row.outcome for row in house.ledger.finished} == {Outcome.FINISHED}
    assert {row.endpoint for row in house.ledger.finished} == {"/api/show"}


@pytest.mark.parametrize(
    ("facts", "size_vram", "expires"),
    [
        ({}, 3_000_000, 9999),
        ({"computes_on": "cpu (openblas)"}, 0, 9999),
        ({"ttl_s": 60.0, "last_used_at": 1_700_000_000.0}, 3_000_000, 2023),
    ],
)
async def test_it_tells_what_is_in_memory_and_for_how_long(
    client: Client, facts: dict[str, Any], size_vram: int, expires: int
) -> None:
    house_with(**facts)
    (model,) = (await client.get("/api/ps")).json["models"]
    assert (model["size"], model["size_vram"]) == (3_000_000, size_vram)
    assert datetime.fromisoformat(model["expires_at"]).year == expires
    assert model["context_length"] == 40_960


async def test_what_is_not_in_memory_does_not_run(client: Client) -> None:
    house_with(state=ModelState.UNLOADED)
    assert (await client.get("/api/ps")).json == {"models": []}
    assert len((await client.get("/api/tags")).json["models"]) == 1


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        ({"model": "nobody"}, 404, "nobody"),
        ({}, 400, "'model' must be a name"),
        ({"model": 5}, 400, "'model' must be a name"),
        ({"model": ":latest"}, 400, "'model' must be a name"),
        ({"model": "x" * 100_000}, 400, "'model' must be a name"),
    ],
)
async def test_it_refuses_as_ollama_does(
    client: Client, body: dict[str, Any], status: int, words: str
) -> None:
    house = house_with()
    reply = await client.post(body, path="/api/show").reply()
    assert reply.status == status
    assert list(reply.json) == ["error"]
    assert words in reply.json["error"]
    assert house.ledger.only_row.outcome == Outcome.INVALID


async def test_a_server_with_a_key_tells_nobody_else(client: Client) -> None:
    house_with(key="sesame")
    for path in ("/api/version", "/api/tags", "/api/ps"):
        reply = await client.get(path)
        assert (reply.status, list(reply.json)) == (401, ["error"])


async def test_the_projects_own_addresses_stay_where_they_are(client: Client) -> None:
    house_with()
    # Their readers need a key or a session, and errors have OpenAI's shape.
    assert (await client.get("/api/models")).error["code"] == "forbidden"
    wrong = await client.post({}, path="/api/tags").reply()
    assert (wrong.status, wrong.headers["allow"]) == (405, "GET, HEAD")
