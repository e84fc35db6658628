"""What every worker promises, the fake one too: so much its tests can show."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from inference.core.errors import InferenceError, ModelUnloadedError, WorkerDiedError
from inference.core.models import ModelSource
from inference.core.requests import (
    ChatMessage,
    ChatPrompt,
    Generate,
    SamplingSpec,
    TextPart,
)
from inference.runtime.worker import WorkerHandle
from inference.runtime.worker_protocol import ModelLoadError
from tests.fast_blas import openblas_for_tests
from tests.runtime.fake_worker import Conduct, FakeWorker, FakeWorkers

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from inference.runtime.streams import TokenStream
    from inference.runtime.worker_protocol import Worker

PROMPT = ChatPrompt((ChatMessage("user", (TextPart("Hello"),)),))
HELLO = Generate(prompts=(PROMPT,))
ENDLESS = SamplingSpec(max_tokens=2000, ignore_eos=True)
PATIENCE_S = 60.0


def real_worker() -> Worker:
    return WorkerHandle(stream_limit_bytes=10**6, openblas=openblas_for_tests())


def fake_worker() -> Worker:
    quick = Conduct(load_s=0.0, prefill_s=0.0, step_s=0.001)
    return FakeWorker(FakeWorkers(quick))


@pytest.fixture(params=[fake_worker, pytest.param(real_worker, marks=pytest.mark.slow)])
async def worker(
    request: pytest.FixtureRequest, tiny_model_dir: Path
) -> AsyncIterator[Worker]:
    worker: Worker = request.param()
    async with asyncio.timeout(PATIENCE_S):
        await worker.start()
        loaded = await worker.load(ModelSource("tiny", str(tiny_model_dir)), max_rows=4)
    assert worker.is_alive
    assert not worker.has_work
    assert loaded.max_rows == 4
    yield worker
    await worker.stop()


async def begun(worker: Worker) -> TokenStream:
    """Return a stream that has begun to answer."""
    prompt = await worker.prepare(PROMPT, HELLO)
    stream = worker.decode([(prompt.prompt_id, ENDLESS)])
    await stream.take()
    return stream


async def read_to_the_end(stream: TokenStream) -> None:
    while True:
        await stream.take()


async def how_it_ends(stream: TokenStream) -> InferenceError:
    with pytest.raises(InferenceError) as end:
        await read_to_the_end(stream)
    return end.value


async def left(stream: TokenStream) -> None:
    """Return when the worker holds nothing of it any more."""
    gone = asyncio.Event()
    stream.when_left(lambda _: gone.set())
    await gone.wait()
    assert stream.has_left


async def test_a_stream_leaves_when_it_is_cancelled_and_others_go_on(
    worker: Worker,
) -> None:
    async with asyncio.timeout(PATIENCE_S):
        stays, goes = [await begun(worker) for _ in range(2)]
        worker.cancel(goes)
        await left(goes)
        assert await stays.take()
        assert worker.has_work
        worker.fail_streams(ModelUnloadedError("It goes."))
        assert (await how_it_ends(stays)).code == "model_unloaded"
        await left(stays)
        assert not worker.has_work


async def test_what_waits_for_a_worker_ends_with_it(worker: Worker) -> None:
    async with asyncio.timeout(PATIENCE_S):
        stream = await begun(worker)
        kept = await worker.prepare(PROMPT, HELLO)
        worker.kill("it was in the way")
        end = await how_it_ends(stream)
        assert isinstance(end, WorkerDiedError)
        assert end.message == "The model's worker process ended: it was in the way."
        assert await worker.wait_for_death() == "it was in the way"
        assert stream.has_left
        assert (worker.is_alive, worker.has_work) == (False, False)
        worker.drop(kept.prompt_id)
        with pytest.raises(WorkerDiedError):
            worker.decode([(kept.prompt_id, ENDLESS)])
        with pytest.raises(WorkerDiedError):
            await worker.prepare(PROMPT, HELLO)
        with pytest.raises(ModelLoadError):
            await worker.load(ModelSource("tiny", "/nowhere"), max_rows=4)
