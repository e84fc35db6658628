"""What others read of a real server: figures that agree with rows, and with the docs."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import urllib.error
import urllib.request
from collections import Counter
from typing import TYPE_CHECKING, Any

import httpx
import jsonschema
import openai
import pytest
from prometheus_client.parser import text_string_to_metric_families

from mlxsite.openapi import document
from tests.e2e.servers import PATIENCE_S, REPOSITORY, Server, wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.conftest import StartServer

pytestmark = pytest.mark.slow

HELLO = [{"role": "user", "content": "Hello"}]
SHORT: dict[str, Any] = {"model": "rambler", "messages": HELLO, "max_tokens": 4}
ENDLESS: dict[str, Any] = {**SHORT, "max_tokens": 100_000, "temperature": 0}


def scrape(server: Server) -> dict[str, list[tuple[dict[str, str], float]]]:
    """Return the samples of `/metrics` by name."""
    with urllib.request.urlopen(f"{server.base_url}/metrics", timeout=10) as answer:
        text = answer.read().decode()
    found: dict[str, list[tuple[dict[str, str], float]]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found.setdefault(sample.name, []).append((sample.labels, sample.value))
    return found


class Tally:
    """What the client saw: how each of its requests ended."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.client = server.async_client()
        self.ends: Counter[tuple[str, str]] = Counter()
        self.tokens = 0

    async def seen(self, name: str, count: int) -> None:
        """Return once so many are running or waiting."""

        def look() -> bool:
            return bool(
                self.server.get("/v1/queue/stats")["queue_stats"][name] == count
            )

        await asyncio.to_thread(wait_until, look, f"{name} = {count}")

    async def ask(self, *, outcome: str = "finished", **body: Any) -> None:
        try:
            answer = await self.client.chat.completions.create(**{**SHORT, **body})
        except openai.APIStatusError as error:
            self.ends[outcome, str(error.code)] += 1
        else:
            self.tokens += answer.usage.completion_tokens
            self.ends["finished", ""] += 1

    async def hold(self) -> Any:
        """Begin an endless answer, and return it once it runs."""
        stream = await self.client.chat.completions.create(**ENDLESS, stream=True)
        await anext(aiter(stream))
        return stream

    async def hang_up(self, stream: Any) -> None:
        await stream.close()
        self.ends["cancelled", "client_disconnected"] += 1
        await self.seen("active_requests", 0)


async def end_in_every_way(tally: Tally) -> None:
    """Finish, refuse, mistake, hang up, wait too long, and lose a worker."""
    for _ in range(5):
        await tally.ask()
    await tally.ask(outcome="invalid", temperature=9)
    await tally.ask(outcome="invalid", model="nonsense")
    running = await tally.hold()
    waiting = asyncio.create_task(tally.ask(outcome="timed_out"))
    await tally.seen("queue_size", 1)
    await asyncio.gather(*(tally.ask(outcome="rejected") for _ in range(3)))
    await waiting
    await tally.hang_up(running)
    running = await tally.hold()
    (worker,) = tally.server.worker_pids()
    os.kill(worker, signal.SIGKILL)
    with pytest.raises(openai.APIError):
        async for _ in running:
            pass
    tally.ends["failed", "worker_died"] += 1
    async with httpx.AsyncClient() as client:
        await client.post(f"{tally.server.base_url}/v1/nonsense", json={})
    tally.ends["invalid", "unknown_url"] += 1


async def test_the_figures_agree_with_the_client_and_the_rows(
    start_server: StartServer, rambler_dir: Path
) -> None:
    server = start_server(
        *(rambler_dir, "--max-concurrency", "1", "--queue-size", "1"),
        QUEUE_TIMEOUT="6",
    )
    await asyncio.to_thread(server.wait_ready)
    tally = Tally(server)
    await end_in_every_way(tally)
    await asyncio.to_thread(server.wait_rows, tally.ends.total())
    rows = [row for row in server.rows().values() if row["outcome"] != "running"]
    of_rows = Counter((row["endpoint"], row["outcome"], row["reason"]) for row in rows)
    samples = scrape(server)
    of_metrics = {
        (labels["endpoint"], labels["outcome"], labels["reason"]): value
        for labels, value in samples["mlx_server_requests_total"]
    }
    assert of_metrics == of_rows
    assert Counter((row["outcome"], row["reason"]) for row in rows) == tally.ends
    outcomes = server.get("/v1/queue/stats")["metrics"]["outcomes"]
    by_outcome: Counter[str] = Counter()
    for (_, outcome, _), value in of_metrics.items():
        by_outcome[outcome] += int(value)
    assert {name: count for name, count in outcomes.items() if count} == by_outcome
    assert {"finished", "rejected", "invalid", "cancelled", "timed_out", "failed"} == (
        set(by_outcome)
    )
    ((_, tokens),) = samples["vllm:generation_tokens_total"]
    assert tokens == sum(row["completion_tokens"] or 0 for row in rows)
    ((_, deaths),) = samples["mlx_server_worker_deaths_total"]
    assert deaths == 1
    ((_, still_open),) = samples["mlx_server_requests_open"]
    assert still_open == 0


def answers(server: Server, path: str) -> tuple[int, str, bytes]:
    try:
        with urllib.request.urlopen(server.base_url + path, timeout=10) as answer:
            kind = answer.headers.get_content_type()
            return answer.status, kind, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.headers.get_content_type(), error.read()


def stored(server: Server) -> dict[str, dict[str, str]]:
    """Keep a response in a conversation; return what stands in the addresses of both."""
    client = server.client()
    conversation = client.conversations.create()
    response = client.responses.create(
        model="tiny-qwen2-vl",
        input="Hello",
        max_output_tokens=16,
        conversation=conversation.id,
    )
    (item, *_) = client.conversations.items.list(conversation.id)
    assert item.id is not None
    in_a_response = {"{id}": response.id}
    in_a_conversation = {"{id}": conversation.id, "{item_id}": item.id}
    return {
        "/v1/responses/{id}": in_a_response,
        "/v1/responses/{id}/input_items": in_a_response,
        "/v1/conversations/{id}": in_a_conversation,
        "/v1/conversations/{id}/items": in_a_conversation,
        "/v1/conversations/{id}/items/{item_id}": in_a_conversation,
    }


def test_every_documented_get_answers_what_its_schema_says(
    tiny_server: Server,
) -> None:
    tiny_server.client().chat.completions.create(
        model="tiny-qwen2-vl", messages=HELLO, max_tokens=4
    )
    tiny_server.count_rows()
    (row, *_) = tiny_server.rows()
    components = document()["components"]
    kept = stored(tiny_server)
    others = {"{request_id}": row, "{id}": "tiny-qwen2-vl"}
    seen = 0
    for path, methods in document()["paths"].items():
        if "get" not in methods:
            continue
        named = path
        for name, value in kept.get(path, others).items():
            named = named.replace(name, value)
        status, kind, body = answers(tiny_server, named)
        response = methods["get"]["responses"][str(status)]
        assert status == 200, path
        schema = response["content"][kind]["schema"]
        if kind == "application/json":
            whole = {**schema, "components": components}
            jsonschema.validate(json.loads(body), whole)
        seen += 1
    assert seen >= 12


def test_every_answer_and_refusal_of_a_chat_fits_its_schema(
    tiny_server: Server,
) -> None:
    components = document()["components"]
    operation = document()["paths"]["/v1/chat/completions"]["post"]
    for body, status in (
        ({"messages": HELLO, "max_tokens": 4}, 200),
        ({"messages": HELLO, "max_tokens": 4, "logprobs": True, "n": 2}, 200),
        ({"messages": HELLO, "temperature": 9}, 400),
        ({"messages": HELLO, "model": "nonsense"}, 404),
    ):
        url = f"{tiny_server.base_url}/v1/chat/completions"
        answer = httpx.post(url, json=body, timeout=PATIENCE_S)
        assert answer.status_code == status
        content = operation["responses"][str(status)]["content"]
        schema = {**content["application/json"]["schema"], "components": components}
        jsonschema.validate(answer.json(), schema)


def queries(dashboard: Any) -> list[str]:
    """Return every query of a dashboard, wherever it stands."""
    if isinstance(dashboard, list):
        return [query for each in dashboard for query in queries(each)]
    if not isinstance(dashboard, dict):
        return []
    own = [dashboard[name] for name in ("expr", "definition") if name in dashboard]
    return own + queries(list(dashboard.values()))


def test_the_dashboard_asks_for_what_is_there(tiny_server: Server) -> None:
    path = REPOSITORY / "docs" / "grafana" / "mlx-server.json"
    asked = queries(json.loads(path.read_text()))
    names = {
        name
        for query in asked
        for name in re.findall(r"\b(?:vllm:|mlx_server_|process_)\w+", query)
    }
    assert len(asked) > 25
    assert len(names) > 20
    # A server that was never asked has no request to show.
    tiny_server.client().chat.completions.create(
        model="tiny-qwen2-vl", messages=HELLO, max_tokens=4
    )
    shown = scrape(tiny_server)
    assert names <= set(shown)
    for query in asked:
        for label in re.findall(r"(\w+)=~?\"", query):
            assert label in {"instance", "job"} or _has_label(shown, query, label)


def _has_label(
    shown: dict[str, list[tuple[dict[str, str], float]]], query: str, label: str
) -> bool:
    names = re.findall(r"\b(?:vllm:|mlx_server_|process_)\w+", query)
    return any(label in labels for name in names for labels, _ in shown[name])
