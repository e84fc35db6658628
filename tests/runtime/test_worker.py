"""A worker's process seen from the web process: its end is certain."""

from __future__ import annotations

import asyncio
import os
import signal
from typing import TYPE_CHECKING

import pytest

from inference.core.errors import WorkerDiedError
from inference.core.models import ModelSource
from inference.core.requests import (
    ChatMessage,
    ChatPrompt,
    Generate,
    SamplingSpec,
    TextPart,
)
from inference.runtime.cores import CoreShare
from inference.runtime.worker import WorkerHandle
from tests.fast_blas import openblas_for_tests

if TYPE_CHECKING:
    from pathlib import Path

PROMPT = ChatPrompt((ChatMessage("user", (TextPart("Hello"),)),))
HELLO = Generate(prompts=(PROMPT,))

pytestmark = pytest.mark.slow


async def loaded_worker(model: Path) -> WorkerHandle:
    worker = WorkerHandle(stream_limit_bytes=1000, openblas=openblas_for_tests())
    await worker.start()
    await worker.load(ModelSource("tiny", str(model)), max_rows=4)
    return worker


async def test_it_ends_a_worker_that_does_not_hear_and_fails_who_waits(
    tiny_model_dir: Path,
) -> None:
    worker = await loaded_worker(tiny_model_dir)
    assert worker.hello is not None
    pid = worker.hello.pid
    os.kill(pid, signal.SIGSTOP)
    waiting = asyncio.create_task(worker.prepare(PROMPT, HELLO))
    watching = asyncio.create_task(worker.wait_for_death())
    await asyncio.sleep(0)
    # As a served model does when it stops: its supervisor is cancelled first.
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)
    await worker.stop()
    with pytest.raises(WorkerDiedError):
        await waiting
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


async def test_it_says_why_a_worker_died(tiny_model_dir: Path) -> None:
    worker = await loaded_worker(tiny_model_dir)
    assert worker.hello is not None
    os.kill(worker.hello.pid, signal.SIGKILL)
    assert await worker.wait_for_death() == "killed by SIGKILL"
    with pytest.raises(WorkerDiedError):
        await worker.prepare(PROMPT, HELLO)


async def test_workers_share_the_cores_while_both_compute(
    tiny_model_dir: Path,
) -> None:
    told: list[tuple[str, int]] = []

    class Noting(WorkerHandle):
        name = ""

        def use_threads(self, count: int) -> None:
            told.append((self.name, count))
            super().use_threads(count)

    share = CoreShare(4)
    workers = [
        Noting(stream_limit_bytes=10_000, openblas=openblas_for_tests(), cores=share)
        for _ in range(2)
    ]
    try:
        for worker, name in zip(workers, "ab", strict=True):
            worker.name = name
            await worker.start()
            await worker.load(ModelSource("tiny", str(tiny_model_dir)), max_rows=4)
        prompts = [await worker.prepare(PROMPT, HELLO) for worker in workers]
        streams = [
            worker.decode([(prompt.prompt_id, SamplingSpec(max_tokens=16))])
            for worker, prompt in zip(workers, prompts, strict=True)
        ]
        assert sorted(told) == [("a", 1), ("b", 1)]
        for stream in streams:
            while not stream.has_left:
                await stream.take()
        assert told[2:] in ([("a", 3)], [("b", 3)])
    finally:
        for worker in workers:
            await worker.stop()
