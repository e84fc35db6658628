"""The endpoints that only tell: models, the queue, health."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import msgspec
import pytest

from inference.auth import Readers, SharedKey
from inference.core.events import StatsTotals
from inference.core.requests import Delta
from inference.runtime.app import install_app
from tests.api.cast import (
    ASK,
    HELLO,
    MODEL,
    PATIENCE_S,
    Client,
    FixedStats,
    House,
)
from tests.mlxsite.test_openapi import is_valid

MakeHouse = Callable[..., House]


async def test_it_lists_the_served_models(
    make_house: MakeHouse, client: Client
) -> None:
    make_house()
    body = (await client.get("/v1/models")).json
    assert body["object"] == "list"
    (model,) = body["data"]
    assert {k: model[k] for k in ("id", "object", "created", "owned_by")} == {
        "id": MODEL,
        "object": "model",
        "created": 5,
        "owned_by": "mlx-server",
    }
    assert {"state", "kind", "context_length", "size_bytes"} <= set(model)
    assert model["max_model_len"] == model["context_length"]
    assert is_valid(body, "ModelList")
    assert model["state"] == "ready"
    assert "/models/tiny" not in str(body)


async def test_it_tells_what_a_model_can_be_asked_for(
    make_house: MakeHouse, client: Client
) -> None:
    house = make_house()
    card = msgspec.structs.replace(
        house.service.card, kind="vlm", capabilities=("text", "vision", "tools")
    )
    house.service.card = card
    (model,) = (await client.get("/v1/models")).json["data"]
    assert model["capabilities"] == ["text", "vision", "tools"]
    assert model["kinds"] == ["chat", "completions", "messages", "responses"]
    assert model["input_modalities"] == ["text", "image"]


async def test_codex_finds_its_array_and_keeps_its_own_instructions(
    make_house: MakeHouse, client: Client
) -> None:
    make_house()
    assert (await client.get("/v1/models?client_version=1")).json["models"] == []


@pytest.mark.parametrize("path", ["org/tiny", "org%2Ftiny", "org%2ftiny"])
async def test_it_finds_a_model_whose_id_has_a_slash(
    make_house: MakeHouse, client: Client, path: str
) -> None:
    make_house()
    reply = await client.get(f"/v1/models/{path}")
    assert (reply.status, reply.json["id"]) == (200, MODEL)


async def test_it_says_404_for_a_model_it_does_not_serve(
    make_house: MakeHouse, client: Client
) -> None:
    make_house()
    reply = await client.get("/v1/models/org/other")
    assert (reply.status, reply.error["code"]) == (404, "model_not_found")


async def test_it_shows_queue_and_totals_in_the_agreed_shape(
    make_house: MakeHouse, client: Client
) -> None:
    total = StatsTotals(
        total_requests=10,
        total_tokens=200,
        total_time_s=4.0,
        request_types={"text": 6, "text_stream": 4},
        outcomes={"finished": 8, "failed": 2, "rejected": 5, "invalid": 1},
        error_count=2,
        avg_tps=50.0,
        max_tps=90.0,
        min_tps=10.0,
        recent_requests=8,
    )
    make_house(stats=FixedStats(total, {MODEL: total}))
    body = (await client.get("/v1/queue/stats")).json
    assert body["status"] == "ok"
    assert body["queue_stats"] == {
        "running": True,
        "queue_size": 3,
        "max_queue_size": 100,
        "active_requests": 5,
        "max_concurrency": 2,
    }
    metrics = body["metrics"]
    assert metrics["total_requests"] == 10
    assert metrics["total_tokens"] == 200
    assert metrics["total_time"] == 4.0
    assert metrics["request_types"] == {
        "text": 6,
        "text_stream": 4,
        "vision": 0,
        "vision_stream": 0,
    }
    assert metrics["error_count"] == 2
    assert metrics["error_rate"] == 2 / 16
    assert (metrics["rejected"], metrics["invalid"]) == (5, 1)
    assert metrics["performance"] == {
        "avg_tps": 50.0,
        "max_tps": 90.0,
        "min_tps": 10.0,
        "recent_requests": 8,
    }
    assert body["models"][MODEL]["metrics"] == metrics


async def test_it_shows_zeros_before_the_first_request(
    make_house: MakeHouse, client: Client
) -> None:
    make_house()
    metrics = (await client.get("/v1/queue/stats")).json["metrics"]
    assert metrics["error_rate"] == 0.0
    assert metrics["performance"]["avg_tps"] == 0.0


async def test_it_is_healthy_as_long_as_it_answers(
    make_house: MakeHouse, client: Client
) -> None:
    house = make_house(key="sesame")
    house.service.is_draining = True
    house.service.is_ready = False
    reply = await client.get("/health")
    assert (reply.status, reply.json) == (200, {"status": "ok"})


async def test_it_is_ready_when_a_model_can_answer(
    make_house: MakeHouse, client: Client
) -> None:
    house = make_house(key="sesame")
    assert (await client.get("/health/ready")).status == 200
    house.service.is_ready = False
    reply = await client.get("/health/ready")
    assert (reply.status, reply.json["reason"]) == (503, "no_model_ready")
    house.service.is_draining = True
    assert (await client.get("/health/ready")).json["reason"] == "shutting_down"


async def test_it_answers_503_where_no_service_runs(client: Client) -> None:
    install_app(None)
    assert (await client.get("/health")).status == 200
    reply = await client.get("/health/ready")
    assert (reply.status, reply.json["reason"]) == (503, "no_service")
    assert (await client.ask(ASK)).error["code"] == "model_unavailable"


async def test_it_lists_what_runs_to_who_may_read_the_record(
    make_house: MakeHouse, client: Client
) -> None:
    goes_on = asyncio.Event()
    keys = SharedKey("sesame")
    house = make_house(
        Delta("Hel"),
        goes_on,
        *HELLO,
        key="sesame",
        readers=Readers(keys, allowed_hosts=()),
    )
    key = {"authorization": "Bearer sesame"}
    path = "/v1/queue/requests"
    assert (await client.get(path)).status == 401
    assert (await client.get(path, **key)).json == {
        "object": "list",
        "total": 0,
        "data": [],
    }
    asking = asyncio.create_task(client.ask({**ASK, "user": "ann"}, **key))
    await asyncio.wait_for(house.service.waiting.wait(), PATIENCE_S)
    body = (await client.get(path, **key)).json
    (running,) = body["data"]
    assert body["total"] == 1
    assert (running["model"], running["phase"]) == (MODEL, "decode")
    assert (running["prompt_tokens"], running["completion_tokens"]) == (7, 1)
    assert (running["key"], running["user"]) == ("api_key", "ann")
    assert running["age_s"] >= running["phase_s"] >= 0
    assert is_valid(body, "QueueRequestList")
    goes_on.set()
    assert (await asking).status == 200
    assert (await client.get(path, **key)).json["total"] == 0


async def test_strangers_elsewhere_do_not_see_what_runs_where_no_key_is_set(
    make_house: MakeHouse, client: Client
) -> None:
    make_house(readers=Readers(SharedKey(""), allowed_hosts=()))
    reply = await client.get("/v1/queue/requests", x_forwarded_for="192.0.2.1")
    assert (reply.status, reply.error["code"]) == (403, "forbidden")
