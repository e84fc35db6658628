"""Thousands of requests of every outcome, counted by their client and by the server.

usage: python -m tests.bench.tally [REQUESTS]

One real server with the 2 MB model that never stops by itself; its clients finish,
hang up, run into the queue's end, into time-outs and into a worker that is killed, and
send nonsense. Then the client's own tally is laid beside the rows, the sums of each
level, `/metrics`, `/v1/queue/stats`, the history page and the admin's export. Last,
answers under way are cut off by the server's end. Prints a table; exit code 1 where
two of them differ.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from prometheus_client.parser import text_string_to_metric_families

from inference.core.outcomes import Outcome
from tests.e2e.servers import REPOSITORY, Server
from tests.models.make_rambler import main as make_rambler

CLIENTS = 17
SEATS = 8
KILLS = 6
AT_THE_END = 5
HELLO = [{"role": "user", "content": "Hello"}]
SHORT: dict[str, Any] = {"messages": HELLO, "max_tokens": 3}
ENDLESS: dict[str, Any] = {**SHORT, "max_tokens": 100_000, "temperature": 0}
NONSENSE: tuple[dict[str, Any], ...] = (
    {**SHORT, "temperature": 9},
    {**SHORT, "model": "nobody"},
    {"messages": "none"},
    {**SHORT, "max_tokens": -1},
)
# What the client did or wanted, and how often.
WISHES = {"finish": 76, "stream": 12, "nonsense": 6, "hang_up": 5, "wait": 1}
OUTCOME_OF = {
    "queue_full": "rejected",
    "request_timeout": "timed_out",
    "queue_timeout": "timed_out",
    "worker_died": "failed",
    "model_unavailable": "failed",
    "shutdown": "interrupted",
}


@dataclass
class Tally:
    """How each of the client's requests ended, as the client saw it."""

    server: Server
    client: httpx.AsyncClient
    ends: Counter[str] = field(default_factory=Counter)

    async def send(self, wish: str, chance: random.Random) -> None:
        """Send one request and count its end."""
        match wish:
            case "finish":
                self.ends[await self._ask(SHORT)] += 1
            case "stream":
                self.ends[await self._listen(SHORT)] += 1
            case "nonsense":
                self.ends[await self._ask(chance.choice(NONSENSE))] += 1
            case "wait":
                self.ends[await self._ask(ENDLESS)] += 1
            case "hang_up":
                self.ends[await self._listen(ENDLESS, leave_after=2)] += 1

    async def _ask(self, body: dict[str, Any]) -> str:
        answer = await self.client.post("/v1/chat/completions", json=body)
        return "finished" if answer.status_code == 200 else _outcome(answer.json())

    async def _listen(self, body: dict[str, Any], leave_after: int = 0) -> str:
        body = {**body, "stream": True}
        seen = 0
        async with self.client.stream(
            "POST", "/v1/chat/completions", json=body
        ) as answer:
            if answer.status_code != 200:
                return _outcome(json.loads(await answer.aread()))
            async for line in answer.aiter_lines():
                if not line.startswith("data: "):
                    continue
                if line.startswith("data: [DONE]"):
                    return "finished"
                event = json.loads(line[6:])
                if "error" in event:
                    return _outcome(event)
                seen += 1
                if leave_after and seen >= leave_after:
                    return "cancelled"
        raise AssertionError("A stream ended without a word.")


def _outcome(body: dict[str, Any]) -> str:
    return OUTCOME_OF.get(body["error"]["code"], "invalid")


async def send_all(tally: Tally, count: int) -> None:
    """Send `count` requests, so many at a time, and kill the worker now and then."""
    chance = random.Random(7)
    wishes = chance.choices(list(WISHES), list(WISHES.values()), k=count)
    kill_at = {round(count * (n + 1) / (KILLS + 1)) for n in range(KILLS)}
    left = iter(enumerate(wishes))

    async def send_one_after_another() -> None:
        for number, wish in left:
            if number in kill_at:
                await _kill_a_worker(tally)
            await tally.send(wish, chance)

    await asyncio.gather(*(send_one_after_another() for _ in range(CLIENTS)))


async def _kill_a_worker(tally: Tally) -> None:
    pids = await asyncio.to_thread(tally.server.worker_pids)
    for pid in pids[:1]:
        os.kill(pid, signal.SIGKILL)


def counts(found: dict[str, int]) -> Counter[str]:
    """Return the counts that are not nothing."""
    return Counter({name: count for name, count in found.items() if count})


def of_metrics(server: Server) -> Counter[str]:
    """Return what `/metrics` counts by outcome."""
    found: Counter[str] = Counter()
    text = httpx.get(f"{server.base_url}/metrics", timeout=30).text
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if sample.name == "mlx_server_requests_total":
                found[sample.labels["outcome"]] += int(sample.value)
    return counts(found)


def of_rows(server: Server) -> Counter[str]:
    """Return the rows by outcome."""
    return Counter(row["outcome"] for row in server.rows().values())


def of_rollups(server: Server, level: str) -> Counter[str]:
    """Return what the sums of one level say."""
    names = [end.value for end in Outcome if end is not Outcome.RUNNING]
    rows = server.select("metrics_rollup", "at")
    return counts({n: sum(r[n] for r in rows if r["level"] == level) for n in names})


def of_pages(server: Server) -> dict[str, Counter[str]]:
    """Return what staff see: the history page's tally, and the list as exported."""
    with httpx.Client(base_url=server.base_url, timeout=120) as client:
        client.get("/admin/login/")
        form = {
            "username": "admin",
            "password": server.password(),
            "csrfmiddlewaretoken": client.cookies["csrftoken"],
        }
        client.post("/admin/login/", data=form, headers={"referer": server.base_url})
        history = client.get("/admin/history/data", params={"range": "24h"}).json()
        url = "/admin/metrics/requestlog/export/"
        exported = client.get(url, params={"format": "jsonl"}).text
    rows = [json.loads(line) for line in exported.splitlines()]
    return {
        "history page": counts(
            {
                name: sum(filter(None, points))
                for name, points in history["outcomes"].items()
            }
        ),
        "admin's export": Counter(row["outcome"] for row in rows),
    }


async def end_with_a_crowd(tally: Tally) -> None:
    """Have the server end while some answer; each hears of it."""
    begun = asyncio.Semaphore(0)

    async def listen() -> None:
        body = {**ENDLESS, "stream": True}
        async with tally.client.stream(
            "POST", "/v1/chat/completions", json=body
        ) as answer:
            begun.release()
            async for line in answer.aiter_lines():
                if '"error"' in line:
                    tally.ends[_outcome(json.loads(line[6:]))] += 1

    crowd = [asyncio.create_task(listen()) for _ in range(AT_THE_END)]
    for _ in crowd:
        await begun.acquire()
    tally.server.process.send_signal(signal.SIGTERM)
    await asyncio.gather(*crowd)
    await asyncio.to_thread(tally.server.process.wait)


def table(columns: dict[str, Counter[str]]) -> bool:
    """Print who counted what; return whether all agree."""
    names = sorted(set().union(*columns.values()))
    width = max(map(len, columns))
    say(" " * width + "".join(f"{name:>13}" for name in names))
    for who, found in columns.items():
        say(f"{who:{width}}" + "".join(f"{found[name]:13,}" for name in names))
    first, *others = columns.values()
    return all(other == first for other in others)


def say(line: str) -> None:
    """Print a line at once."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


async def measure(server: Server, count: int) -> bool:
    """Send everything and compare the counts; return whether all agree."""
    limits = httpx.Limits(max_connections=CLIENTS + AT_THE_END)
    async with httpx.AsyncClient(
        base_url=server.base_url, timeout=120, limits=limits
    ) as client:
        tally = Tally(server, client)
        began = time.monotonic()
        await send_all(tally, count)
        say(f"{count:,} requests in {time.monotonic() - began:.0f} s")
        await asyncio.to_thread(server.wait_idle)
        await asyncio.to_thread(server.wait_rows, tally.ends.total())
        stats = server.get("/v1/queue/stats")["metrics"]["outcomes"]
        levels = ("minute", "hour", "day")
        agree = table(
            {
                "the client": tally.ends,
                "rows": of_rows(server),
                **{f"sums by {level}": of_rollups(server, level) for level in levels},
                "/metrics": of_metrics(server),
                "/v1/queue/stats": counts(stats),
                **of_pages(server),
            }
        )
        await end_with_a_crowd(tally)
    say("and after the server's end:")
    return (
        table(
            {
                "the client": tally.ends,
                "rows": of_rows(server),
                **{f"sums by {level}": of_rollups(server, level) for level in levels},
            }
        )
        and agree
    )


def main(count: int) -> int:
    """Serve, measure, and say whether all agree."""
    with tempfile.TemporaryDirectory(prefix="mlx-server-tally-") as folder:
        model = Path(folder) / "rambler"
        make_rambler(REPOSITORY / "tests" / "models" / "tiny-qwen2-vl", model)
        server = Server(
            Path(folder) / "data",
            model,
            *("--max-concurrency", str(SEATS), "--queue-size", str(SEATS)),
            *("--request-timeout", "0.5", "--drain-timeout", "0.2"),
            QUARANTINE_AFTER="100",
        )
        try:
            server.wait_ready()
            return 0 if asyncio.run(measure(server, count)) else 1
        finally:
            if server.process.poll() is None:
                server.kill()


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000))
