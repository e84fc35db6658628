"""Names that are no key: aliases, near misses and folders, as clients meet them."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from inference.models import ModelEntry
from inference.runtime.app import install_app
from inference.runtime.config import RuntimeConfig
from inference.runtime.service import ModelService
from inference.runtime.supplies import Supplies
from mlxsite.handlers import ApiHandler
from tests.api.cast import ASK, Client, House, Ledger, Reply
from tests.runtime.cast import NODE, Notes
from tests.runtime.fake_worker import Conduct, FakeWorkers
from tests.shelf import Shelf, shelf

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

__all__ = ["shelf"]

AT_ONCE = Conduct(load_s=0, prefill_s=0, step_s=0)
QWEN = "mlx-community/Qwen3-4B-Instruct-2507-4bit"

pytestmark = pytest.mark.django_db(transaction=True)


class Counter:
    """A server that is asked by HTTP, and what it did."""

    def __init__(self, client: Client, workers: FakeWorkers, ledger: Ledger) -> None:
        self.client = client
        self.workers = workers
        self.ledger = ledger

    async def ask(self, model: str) -> Reply:
        return await self.client.ask({**ASK, "model": model, "max_tokens": 2})

    async def listed(self) -> dict[str, list[str]]:
        """Return each model's aliases, as the list shows them."""
        models = (await self.client.get("/v1/models")).json["data"]
        return {model["id"]: model["aliases"] for model in models}


@pytest.fixture(autouse=True)
def _the_api(settings: Any) -> None:
    settings.ROOT_URLCONF = "inference.routing"
    settings.ALLOWED_HOSTS = ["testserver"]


@asynccontextmanager
async def opened(shelf: Shelf, **config: Any) -> AsyncIterator[Counter]:
    """Serve what lies on a shelf, on fake workers."""
    workers, house = FakeWorkers(AT_ONCE), House.build()
    service = ModelService(
        config=RuntimeConfig(has_spare_worker=False, machine_bytes=10**12, **config),
        observer=Notes(),
        identity=NODE,
        supplies=Supplies(workers=workers, catalog=shelf.known()),
    )
    install_app(replace(house.app, service=service))
    try:
        yield Counter(Client(ApiHandler()), workers, house.ledger)  # type: ignore[arg-type]
    finally:
        install_app(None)
        await service.stop()


async def test_an_alias_answers_without_a_second_load(shelf: Shelf) -> None:
    shelf.put("tiny")
    shelf.models_file.write_text('[models."tiny"]\naliases = ["gpt-4o", "mini"]\n')
    async with opened(shelf) as server:
        for name in ("gpt-4o", "tiny", "mini", "gpt-4o"):
            reply = await server.ask(name)
            assert (reply.status, reply.json["model"]) == (200, "tiny")
        assert len(server.workers.made) == 1
        assert await server.listed() == {"tiny": ["gpt-4o", "mini"]}
        assert (await server.client.get("/v1/models/gpt-4o")).json["id"] == "tiny"
        rows = [(row.model_requested, row.model) for row in server.ledger.finished]
        assert rows[0] == ("gpt-4o", "tiny")


async def test_an_alias_of_an_entry_is_known_before_the_model_is_loaded(
    shelf: Shelf,
) -> None:
    shelf.put("tiny")
    await ModelEntry.objects.acreate(key="mine", source="tiny", aliases="gpt-4o")
    async with opened(shelf) as server:
        assert (await server.listed())["mine"] == ["gpt-4o"]
        assert (await server.ask("gpt-4o")).json["model"] == "mine"


async def test_an_alias_that_comes_later_needs_no_new_load(shelf: Shelf) -> None:
    shelf.put("tiny")
    await ModelEntry.objects.acreate(key="mine", source="tiny")
    async with opened(shelf) as server:
        assert (await server.ask("mine")).status == 200
        await ModelEntry.objects.aupdate(aliases="gpt-4o")
        assert (await server.ask("gpt-4o")).json["model"] == "mine"
        assert len(server.workers.made) == 1


async def test_an_alias_of_two_models_is_refused_with_both_keys(shelf: Shelf) -> None:
    shelf.put("tiny")
    shelf.models_file.write_text('[models."tiny"]\naliases = ["gpt-4o"]\n')
    await ModelEntry.objects.acreate(key="mine", source="tiny", aliases="gpt-4o")
    async with opened(shelf) as server:
        for _ in ("none loaded", "one loaded"):
            reply = await server.ask("gpt-4o")
            assert (reply.status, reply.error["code"]) == (400, "ambiguous_model")
            assert reply.error["param"] == "model"
            assert "`mine` and `tiny`" in reply.error["message"]
            assert (await server.ask("tiny")).status == 200


@pytest.mark.parametrize("by_entry", [True, False])
async def test_an_alias_never_stands_before_a_model_of_that_name(
    shelf: Shelf, by_entry: bool
) -> None:
    shelf.put("tiny")
    shelf.put("other")
    if by_entry:
        await ModelEntry.objects.acreate(key="gpt-4o", source="other")
    else:
        shelf.put("gpt-4o")
    await ModelEntry.objects.acreate(key="mine", source="tiny", aliases="gpt-4o")
    async with opened(shelf) as server:
        for _ in ("unloaded", "loaded"):
            assert (await server.ask("mine")).status == 200
            assert (await server.ask("gpt-4o")).json["model"] == "gpt-4o"


@pytest.mark.parametrize(
    "name",
    [
        "Qwen3-4B-Instruct-2507-8bit",
        "qwen3-4b-instruct-2507-4BIT",
        "mlx-community/Qwen3-4B-Instruct-2507",
        "Qwen/Qwen3-4B-Instruct-2507",
        "qwen3:4b",
        "Qwen3-4B-Instuct-2507-4bit",
        "qwen3-4b-instruct-2507:latest",
    ],
)
async def test_a_name_that_is_slightly_off_is_answered_with_the_right_one(
    shelf: Shelf, name: str
) -> None:
    shelf.put_in_hub_cache(QWEN)
    shelf.put("mistral")
    async with opened(shelf) as server:
        reply = await server.ask(name)
        assert (reply.status, reply.error["code"]) == (404, "model_not_found")
        assert f"Did you mean `{QWEN}`?" in reply.error["message"]
        assert reply.error["message"] == server.ledger.only_row.error


async def test_a_name_that_is_like_none_is_not_guessed_at(shelf: Shelf) -> None:
    shelf.put("tiny")
    async with opened(shelf) as server:
        for name in ("gpt-4o", "x" * 500, "é" * 500, "/"):
            assert "Did you mean" not in (await server.ask(name)).error["message"]


async def test_a_folder_elsewhere_is_told_of_the_setting(shelf: Shelf) -> None:
    folder = shelf.put_elsewhere("tiny")
    async with opened(shelf) as server:
        for name in (str(folder), "/no/such/folder", "~/models/tiny"):
            reply = await server.ask(name)
            assert reply.status == 404
            assert "MODEL_DIRS" in reply.error["message"]
