"""Embeddings against the bare model, and beside eight streams of chat.

usage: python -m tests.bench.embeddings ENCODER_FOLDER CHAT_FOLDER [ROUNDS]

Rounds alternate between the bare model over the same padded batches, the server over
the same texts in one request, chat alone, and both at a time. Machines are noisy: the
shares of one round belong together, and their medians count.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

from inference.client.load import closed_loop
from inference.conf import ServerConfig
from inference.library.openblas import provide_openblas
from inference.runtime.environment import worker_environment
from tests.bench.cost import cpu_s
from tests.e2e.servers import Server

if TYPE_CHECKING:
    import openai

TEXTS = 64
WORDS = [
    "the",
    "sea",
    "was",
    "calm",
    "and",
    "a",
    "cat",
    "sat",
    "on",
    "one",
    "of",
    "the",
    "stones",
    "near",
    "two",
    "small",
    "boats",
]
STREAMS = 8
PATIENCE_S = 1800.0
CHATS = 8
CHAT: dict[str, Any] = {
    "messages": [{"role": "user", "content": "Count to twenty."}],
    "temperature": 0,
    "max_tokens": 24,
    "ignore_eos": True,
}
ENCODER, TALKER = "encoder", "talker"


@dataclass(frozen=True, slots=True)
class Rate:
    """Tokens, and what they took; CPU seconds are those of the process that computes."""

    tokens: int
    seconds: float
    cpu_s: float

    def of(self, other: Rate) -> tuple[float, float]:
        """Return its share of another's speed, and of its speed by CPU seconds.

        A busy machine moves the second one less.
        """
        return (
            self.tokens / self.seconds / (other.tokens / other.seconds),
            self.tokens / self.cpu_s / (other.tokens / other.cpu_s),
        )

    def __str__(self) -> str:
        by_cpu = self.tokens / self.cpu_s
        return f"{self.tokens / self.seconds:.0f} tok/s ({by_cpu:.0f} by CPU)"


@dataclass(frozen=True, slots=True)
class Round:
    """What one round came to."""

    bare: Rate
    served: Rate
    chat: Rate
    served_beside: Rate
    chat_beside: Rate

    @property
    def shares(self) -> tuple[float, ...]:
        """Each share twice, also by CPU seconds: of bare, and of alone for both."""
        return (
            *self.served.of(self.bare),
            *self.served_beside.of(self.served),
            *self.chat_beside.of(self.chat),
        )

    def __str__(self) -> str:
        return (
            f"bare {self.bare}, served {self.served}, beside chat {self.served_beside}; "
            f"chat {self.chat}, beside embeddings {self.chat_beside}"
        )


class Bare:
    """The bare model in a process with a worker's environment."""

    def __init__(self, folder: Path) -> None:
        config = ServerConfig.from_settings()
        openblas = provide_openblas(config.openblas, config.openblas_folder)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.bench.bare_encoder", str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=worker_environment(openblas),
        )

    def measure(self, texts: list[str]) -> Rate:
        """Compute the texts."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(texts) + "\n")
        self._process.stdin.flush()
        found = json.loads(self._process.stdout.readline())
        return Rate(found["tokens"], found["seconds"], found["cpu_s"])

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()


def texts() -> list[str]:
    """Return texts of 3 to 120 words, the same ones each time."""
    chance = Random(3)
    return [
        " ".join(chance.choices(WORDS, k=chance.randint(3, 120))) for _ in range(TEXTS)
    ]


async def embed(server: Server, client: openai.AsyncOpenAI, said: list[str]) -> Rate:
    """Send one request."""
    worker, _ = server.worker_pids()
    used, began = cpu_s(worker), time.perf_counter()
    found = await client.embeddings.create(model=ENCODER, input=said)
    took = time.perf_counter() - began
    return Rate(found.usage.prompt_tokens, took, cpu_s(worker) - used)


async def chat(server: Server) -> Rate:
    """Run eight streams."""
    _, worker = server.worker_pids()
    used = cpu_s(worker)
    bodies = [CHAT | {"model": TALKER}] * CHATS
    result = await closed_loop(f"{server.base_url}/v1", bodies, concurrency=STREAMS)
    assert not result.errors, result.errors[0]
    return Rate(result.tokens, result.wall_s, cpu_s(worker) - used)


async def both(
    server: Server, client: openai.AsyncOpenAI, said: list[str]
) -> tuple[Rate, Rate]:
    """Do both at a time; of embeddings, only whole requests beside chat count."""
    talking = asyncio.create_task(chat(server))
    parts: list[Rate] = []
    while not talking.done():
        part = await embed(server, client, said)
        if not talking.done() or not parts:
            parts.append(part)
    beside = Rate(
        sum(part.tokens for part in parts),
        sum(part.seconds for part in parts),
        sum(part.cpu_s for part in parts),
    )
    return beside, await talking


async def measure(server: Server, bare: Bare, said: list[str]) -> Round:
    """Run one round."""
    async with server.async_client(timeout=PATIENCE_S) as client:
        alone = await asyncio.to_thread(bare.measure, said)
        served = await embed(server, client, said)
        talking = await chat(server)
        beside, talking_beside = await both(server, client, said[: TEXTS // 4])
        return Round(alone, served, talking, beside, talking_beside)


def main() -> None:
    """Measure all rounds and print them."""
    encoder, talker = (Path(each).resolve() for each in sys.argv[1:3])
    rounds = int(sys.argv[3]) if len(sys.argv) > 3 else 5
    found = []
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-"))
        server = Server(
            Path(folder),
            Path(f"{ENCODER}={encoder}"),
            *("--model-path", f"{TALKER}={talker}"),
        ).wait_ready()
        stack.callback(server.stop)
        bare = stack.enter_context(closing(Bare(encoder)))
        said = texts()
        for number in range(rounds + 1):
            rates = asyncio.run(measure(server, bare, said))
            if number:  # The first one warms everything up.
                found.append(rates)
                _say(f"{number:2}  {rates}")
    shares = zip(*(each.shares for each in found), strict=True)
    medians = [f"{statistics.median(each):.0%}" for each in shares]
    for what, share, by_cpu in zip(
        (
            "served of the bare model",
            "embeddings beside chat",
            "chat beside embeddings",
        ),
        medians[::2],
        medians[1::2],
        strict=True,
    ):
        _say(f"median: {what} {share}, by CPU seconds {by_cpu}")


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    import os

    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mlxsite.settings")
    django.setup()
    main()
