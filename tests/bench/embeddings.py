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
class Rates:
    """One round's tokens per second, of inputs and of answers.

    `by_cpu`: per CPU second of the process that computes, which a busy machine moves
    less.
    """

    bare: float
    served: float
    bare_by_cpu: float
    served_by_cpu: float
    chat: float
    served_beside: float
    chat_beside: float

    @property
    def shares(self) -> tuple[float, float, float, float]:
        """Served of bare, the same by CPU seconds; embeddings and chat of alone."""
        return (
            self.served / self.bare,
            self.served_by_cpu / self.bare_by_cpu,
            self.served_beside / self.served,
            self.chat_beside / self.chat,
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

    def measure(self, texts: list[str]) -> tuple[float, float]:
        """Return tokens per second, and per CPU second."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(texts) + "\n")
        self._process.stdin.flush()
        found = json.loads(self._process.stdout.readline())
        return found["tokens"] / found["seconds"], found["tokens"] / found["cpu_s"]

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


async def embed(client: openai.AsyncOpenAI, said: list[str]) -> tuple[int, float]:
    """Return tokens and seconds of one request."""
    began = time.perf_counter()
    found = await client.embeddings.create(model=ENCODER, input=said)
    return found.usage.prompt_tokens, time.perf_counter() - began


async def chat(server: Server) -> float:
    """Return tokens per second of eight streams."""
    bodies = [CHAT | {"model": TALKER}] * CHATS
    result = await closed_loop(f"{server.base_url}/v1", bodies, concurrency=STREAMS)
    assert not result.errors, result.errors[0]
    return result.tokens_per_s


async def both(
    server: Server, client: openai.AsyncOpenAI, said: list[str]
) -> tuple[float, float]:
    """Return the rates of embeddings and of chat; only whole requests beside it count."""
    talking = asyncio.create_task(chat(server))
    tokens, seconds = 0, 0.0
    while not talking.done():
        done, took = await embed(client, said)
        if not talking.done() or not tokens:
            tokens, seconds = tokens + done, seconds + took
    return tokens / seconds, await talking


async def measure(server: Server, bare: Bare, said: list[str]) -> Rates:
    """Run one round."""
    async with server.async_client(timeout=PATIENCE_S) as client:
        alone, by_cpu = await asyncio.to_thread(bare.measure, said)
        used = sum(map(cpu_s, server.worker_pids()))
        tokens, seconds = await embed(client, said)
        used = sum(map(cpu_s, server.worker_pids())) - used
        talking = await chat(server)
        beside, talking_beside = await both(server, client, said[: TEXTS // 4])
        return Rates(
            bare=alone,
            served=tokens / seconds,
            bare_by_cpu=by_cpu,
            served_by_cpu=tokens / used,
            chat=talking,
            served_beside=beside,
            chat_beside=talking_beside,
        )


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
    medians = [
        statistics.median(each) for each in zip(*(r.shares for r in found), strict=True)
    ]
    of_bare, by_cpu, embeddings, answers = medians
    _say(
        f"median: {of_bare:.0%} of the bare model over the same batches, "
        f"{by_cpu:.0%} by CPU seconds"
    )
    _say(
        f"median beside each other: embeddings {embeddings:.0%}, chat {answers:.0%} of alone"
    )


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    import os

    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mlxsite.settings")
    django.setup()
    main()
