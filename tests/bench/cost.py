"""What the record costs: CPU seconds per token, with all of it and with none of it.

usage: python -m tests.bench.cost [PAIRS]

Two servers with one model; one keeps its record, has a live dashboard open and is
scraped by Prometheus every second, the other has no recorder, counts or samples at all.
Both log a line for each answer and add up what `/v1/queue/stats` tells. The same closed loop of eight streams runs against them in
turns; a pair is one, the other, the other and the one again, so that a machine that
slows down or speeds up favours neither. The worker has one core to itself, and the web
process and this one another: who shares a core with whom would else change from run to
run, and with it what a step takes by a half. CPU seconds are the kernel's for the web process
and for its worker; ratios are told per pair, and their median counts.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import AsyncExitStack, suppress
from functools import partial
from pathlib import Path
from typing import Any

import httpx

from inference.client.load import closed_loop
from tests.e2e.dashboards import dashboard
from tests.e2e.servers import REPOSITORY, Server

STREAMS = 8
REQUESTS = 96
# That of the web process and the client, and that of the worker.
CORES = sorted(os.sched_getaffinity(0))[:2]
# As long as an answer is.
TOKENS = 256
BODY: dict[str, Any] = {
    "messages": [{"role": "user", "content": "Count to twenty."}],
    "temperature": 0,
    "max_tokens": TOKENS,
    "ignore_eos": True,
}
# Runs `manage.py` with everything that remembers left out.
FORGETFUL = """
import os, sys
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mlxsite.settings")
import django
django.setup()
from metrics.completion_log import CompletionLog
from metrics.observers import Observers
from metrics.totals import Totals
from mlxsite.server import lifecycle

class Nothing:
    def __init__(self, *args, **kwargs): pass
    def start(self, *args): return True
    async def stop(self, *args): return True

def few(observers):
    kept = (Totals, CompletionLog)
    return Observers(tuple(each for each in observers if isinstance(each, kept)))

class NoRecorder(Nothing):
    spool_lag_bytes = backlog_lines = dropped_total = refused_total = 0
    last_error = ""
    def stop(self, *args): return True

lifecycle.Observers = few
lifecycle.Recorder = NoRecorder
lifecycle.Sampler = Nothing
from django.core.management import execute_from_command_line
execute_from_command_line(["manage.py", *sys.argv[1:]])
"""


def cpu_s(pid: int) -> float:
    """Return the CPU seconds that the living threads of a process have used."""
    used_ns = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        with suppress(OSError):
            used_ns += int((task / "schedstat").read_text().split()[0])
    return used_ns / 1e9


def pin(pid: int, core: int) -> None:
    """Let all threads of a process run on one core only, and those they start."""
    for task in Path(f"/proc/{pid}/task").iterdir():
        os.sched_setaffinity(int(task.name), {core})


class Side:
    """One of the two servers, and what it used."""

    def __init__(self, server: Server) -> None:
        self.server = server
        (self.worker,) = server.worker_pids()
        web, worker = CORES
        pin(server.process.pid, web)
        pin(self.worker, worker)

    async def use(self) -> tuple[float, float]:
        """Run the loop; return CPU microseconds per token: web, worker."""
        web, worker = cpu_s(self.server.process.pid), cpu_s(self.worker)
        bodies = [BODY] * REQUESTS
        result = await closed_loop(
            f"{self.server.base_url}/v1", bodies, concurrency=STREAMS
        )
        assert not result.errors, result.errors[0]
        # What is written behind belongs to it.
        await asyncio.sleep(1)
        tokens = result.tokens / 1e6
        return (
            (cpu_s(self.server.process.pid) - web) / tokens,
            (cpu_s(self.worker) - worker) / tokens,
        )


async def scrape(server: Server) -> None:
    """Read `/metrics` once a second."""
    async with httpx.AsyncClient(base_url=server.base_url) as client:
        while True:
            (await client.get("/metrics")).raise_for_status()
            await asyncio.sleep(1)


async def watch(server: Server) -> None:
    """Keep a dashboard open and read all it is sent."""
    async with dashboard(server) as socket:
        while True:
            await socket.hear()


async def watched(side: Side) -> tuple[float, float]:
    """Run the loop while a dashboard is open and Prometheus scrapes."""
    async with AsyncExitStack() as stack:
        tasks = [asyncio.create_task(do(side.server)) for do in (scrape, watch)]
        stack.callback(lambda: [task.cancel() for task in tasks])
        await asyncio.sleep(1)
        used = await side.use()
        assert not any(task.done() for task in tasks)
    return used


async def measure(kept: Server, forgetful: Server, pairs: int) -> None:
    """Alternate, and print each pair's ratios and their medians."""
    on, off = Side(kept), Side(forgetful)
    watched_on = partial(watched, on)
    ratios: list[tuple[float, float]] = []
    for number in range(-1, pairs):
        # Who is first changes as well.
        first, second = (off.use, watched_on) if number % 2 else (watched_on, off.use)
        used = [await use() for use in (first, second, second, first)]
        outer, inner = _mean(used[0], used[3]), _mean(used[1], used[2])
        (web_on, worker_on), (web_off, worker_off) = (
            (inner, outer) if number % 2 else (outer, inner)
        )
        if number < 0:  # Warms everything up.
            continue
        ratios.append((web_on / web_off, worker_on / worker_off))
        say(
            f"{number + 1:2}  web {web_on:6.1f} / {web_off:6.1f} us a token "
            f"{ratios[-1][0]:.3f}   worker {worker_on:6.1f} / {worker_off:6.1f} "
            f"{ratios[-1][1]:.3f}"
        )
    web, worker = (statistics.median(side) for side in zip(*ratios, strict=True))
    say(f"median of {pairs} pairs: web {web:.3f}, worker {worker:.3f}")


def _mean(one: tuple[float, float], other: tuple[float, float]) -> tuple[float, float]:
    """Return the mean of two runs of one side."""
    return (one[0] + other[0]) / 2, (one[1] + other[1]) / 2


def say(line: str) -> None:
    """Print a line at once."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


class ForgetfulServer(Server):
    """A server without a record, a count or a sample."""

    program = ("-c", FORGETFUL)


def main(pairs: int) -> int:
    """Start both servers and measure."""
    model = REPOSITORY / "tests" / "models" / "tiny-qwen2-vl"
    with tempfile.TemporaryDirectory(prefix="mlx-server-cost-") as folder:
        servers = [
            kind(Path(folder) / name, model)
            for name, kind in (("kept", Server), ("forgetful", ForgetfulServer))
        ]
        try:
            for server in servers:
                server.wait_ready()
            pin(os.getpid(), CORES[0])
            time.sleep(2)
            asyncio.run(measure(servers[0], servers[1], pairs))
        finally:
            for server in servers:
                server.kill()
    return 0


if __name__ == "__main__":
    with suppress(KeyboardInterrupt, subprocess.SubprocessError):
        sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 10))
