"""`manage.py bench_engine`: the server against the bare engine, in the same run.

Rounds alternate between mlx-lm's own BatchGenerator without a server, this
server under as many streams, and this server under one stream. Machines are
noisy: the ratios of a round belong together, and the medians of them count.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from django.core.management.base import BaseCommand, CommandError

from inference.client.load import LoadResult, closed_loop
from inference.conf import ServerConfig
from inference.library.openblas import provide_openblas
from inference.runtime.environment import worker_environment

if TYPE_CHECKING:
    from argparse import ArgumentParser
    from collections.abc import Iterator

START_PATIENCE_S = 600.0
TOPICS = ("rivers", "clocks", "bread", "the moon", "ships", "maps", "glass", "bees")


@dataclass(frozen=True, slots=True)
class Round:
    """One round's figures in completion tokens per second; TTFT in seconds."""

    bare: float
    served: float
    one_stream: float
    ttft_s: float

    @property
    def share(self) -> float:
        """What the server keeps of the bare engine's speed."""
        return self.served / self.bare

    @property
    def gain(self) -> float:
        """How many times one stream's speed all streams together reach."""
        return self.served / self.one_stream


class Bare:
    """The bare engine in a process with a worker's environment."""

    def __init__(self, model: Path) -> None:
        config = ServerConfig.from_settings()
        openblas = provide_openblas(config.openblas, config.openblas_folder)
        self._process = subprocess.Popen(  # noqa: S603 -- our own interpreter
            [sys.executable, "-m", "inference.engine.loading.baseline", str(model)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=worker_environment(openblas),
        )

    def measure(self, prompts: list[str], *, streams: int, max_tokens: int) -> float:
        """Return tokens per second for all prompts."""
        job = {"prompts": prompts, "streams": streams, "max_tokens": max_tokens}
        _pipe(self._process.stdin).write(json.dumps(job) + "\n")
        _pipe(self._process.stdin).flush()
        line = _pipe(self._process.stdout).readline()
        if not line:
            raise CommandError("The bare engine ended; its error stands above.")
        result = json.loads(line)
        return float(result["tokens"] / result["seconds"])

    def close(self) -> None:
        """End the process."""
        _pipe(self._process.stdin).close()
        self._process.wait()


class Command(BaseCommand):
    """Measures and prints; keeps nothing."""

    help = "Measure this server against mlx-lm's BatchGenerator in the same run."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the options."""
        add = parser.add_argument
        add("model", type=Path, help="folder of the model to measure with")
        add("--streams", type=int, default=8)
        add("--requests", type=int, default=16, help="requests a round")
        add("--max-tokens", type=int, default=48)
        add("--rounds", type=int, default=5)
        add("--prompt", help="one prompt for all requests (default: essays)")
        add("--json", action="store_true", help="print one line of JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        """Measure all rounds and print them."""
        prompts = self._prompts(options["prompt"], options["requests"])
        model = options["model"].resolve()
        rounds = []
        with serving(model) as base_url, closing(Bare(model)) as bare:
            self._measure(bare, base_url, prompts, options)  # warms everything up
            for number in range(options["rounds"]):
                rounds.append(self._measure(bare, base_url, prompts, options))
                if not options["json"]:
                    self._print_round(number, rounds[-1])
        self._print_medians(rounds, as_json=options["json"])

    def _prompts(self, prompt: str | None, count: int) -> list[str]:
        if prompt is not None:
            return [prompt] * count
        return [
            f"Write a long, detailed essay about {TOPICS[i % len(TOPICS)]}, part {i}."
            for i in range(count)
        ]

    def _measure(
        self, bare: Bare, base_url: str, prompts: list[str], options: dict[str, Any]
    ) -> Round:
        streams, max_tokens = options["streams"], options["max_tokens"]
        alone = bare.measure(prompts, streams=streams, max_tokens=max_tokens)
        served = load(base_url, prompts, streams=streams, max_tokens=max_tokens)
        few = prompts[: max(1, len(prompts) // streams)]
        one = load(base_url, few, streams=1, max_tokens=max_tokens)
        return Round(
            bare=alone,
            served=served.tokens_per_s,
            one_stream=one.tokens_per_s,
            ttft_s=served.median_ttft_s,
        )

    def _print_round(self, number: int, figures: Round) -> None:
        self.stdout.write(
            f"{number + 1:2}  bare {figures.bare:8.1f} tok/s   "
            f"served {figures.served:8.1f}   one stream {figures.one_stream:7.1f}   "
            f"share {figures.share:5.2f}   gain {figures.gain:5.2f}   "
            f"first token {figures.ttft_s * 1000:6.0f} ms"
        )

    def _print_medians(self, rounds: list[Round], *, as_json: bool) -> None:
        share = statistics.median(figures.share for figures in rounds)
        gain = statistics.median(figures.gain for figures in rounds)
        if as_json:
            found = {"share": share, "gain": gain, "rounds": list(map(asdict, rounds))}
            self.stdout.write(json.dumps(found))
        else:
            self.stdout.write(
                f"median: {share:.0%} of the bare engine, {gain:.1f} times one stream"
            )


def load(
    base_url: str, prompts: list[str], *, streams: int, max_tokens: int
) -> LoadResult:
    """Run one closed loop of greedy requests.

    Raises:
        CommandError: a request failed.
    """
    bodies = [
        {
            "messages": [{"role": "user", "content": prompt}],
            "temperature": 0,
            "max_tokens": max_tokens,
        }
        for prompt in prompts
    ]
    result = asyncio.run(closed_loop(base_url, bodies, concurrency=streams))
    if result.errors:
        raise CommandError(f"{len(result.errors)} failed: {result.errors[0]}")
    return result


@contextmanager
def serving(model: Path) -> Iterator[str]:
    """Run a server on a free port with a data folder of its own; yield its /v1."""
    with tempfile.TemporaryDirectory(prefix="mlx-server-bench-") as data_dir:
        port = _free_port()
        process = subprocess.Popen(  # noqa: S603 -- our own interpreter
            [
                *(sys.executable, "-m", "django", "runserver_mlx"),
                *("--model-path", str(model), "--port", str(port)),
            ],
            env={**os.environ, "MLX_DATA_DIR": data_dir, "DATABASE_URL": ""},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            _wait_ready(f"http://127.0.0.1:{port}/health/ready", process)
            yield f"http://127.0.0.1:{port}/v1"
        finally:
            process.terminate()
            process.wait()


def _wait_ready(url: str, process: subprocess.Popen[bytes]) -> None:
    ends_at = time.monotonic() + START_PATIENCE_S
    while time.monotonic() < ends_at and process.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=5):  # noqa: S310 -- our own
                return
        except OSError:
            time.sleep(0.2)
    raise CommandError("The server did not become ready.")


def _free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _pipe(pipe: IO[str] | None) -> IO[str]:
    assert pipe is not None
    return pipe
