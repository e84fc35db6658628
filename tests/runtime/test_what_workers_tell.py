"""What only a worker knows of a request reaches its row."""

from __future__ import annotations

import asyncio
import base64
from contextlib import AsyncExitStack
from io import BytesIO
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image

from inference.core.events import RequestRecord
from inference.core.models import ModelSource
from inference.core.outcomes import ModelState
from inference.core.requests import (
    ChatMessage,
    ImagePart,
    SamplingRequest,
    TextPart,
)
from inference.core.timing import SystemClock
from inference.core.trace import RequestTrace, ServerIdentity
from inference.runtime.config import RuntimeConfig
from inference.runtime.service import ModelService
from tests.asking import asking
from tests.fast_blas import openblas_for_tests

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

pytestmark = pytest.mark.slow

IDENTITY = ServerIdentity(node="node", boot_id="boot")


class Listener:
    """Keeps the last records."""

    def __init__(self) -> None:
        self.finished: list[RequestRecord] = []

    def request_started(self, record: RequestRecord) -> None: ...

    def request_finished(self, record: RequestRecord) -> None:
        self.finished.append(record)

    def server_event(self, event: Any) -> None: ...

    def server_sample(self, sample: Any) -> None: ...

    def request_bodies(self, bodies: Any) -> None: ...


LISTENER = Listener()


@pytest.fixture
async def service(tiny_model_dir: Path) -> AsyncIterator[ModelService]:
    config = RuntimeConfig(
        max_concurrency=4,
        machine_bytes=2**34,
        has_spare_worker=False,
        openblas=openblas_for_tests(),
    )
    service = ModelService(config=config, observer=LISTENER, identity=IDENTITY)
    service.begin([ModelSource("tiny", str(tiny_model_dir), kind="vlm")])
    card = await service.wait_loaded("tiny")
    assert card.state is ModelState.READY, card.error
    yield service
    await service.stop()


def red_square() -> ImagePart:
    data = BytesIO()
    Image.new("RGB", (64, 64), (200, 10, 10)).save(data, "PNG")
    encoded = base64.b64encode(data.getvalue()).decode()
    return ImagePart(f"data:image/png;base64,{encoded}")


async def row_of(
    service: ModelService, *parts: Any, max_tokens: int = 20, **sampling: Any
) -> RequestRecord:
    """Run one request to its end and return its last record."""
    request = asking(
        ChatMessage("user", parts),
        sampling=SamplingRequest(max_tokens=max_tokens, **sampling),
    )
    trace = RequestTrace(
        record=RequestRecord(
            request_id="r", node="n", boot_id="b", started_at=0.0, endpoint="/test"
        ),
        observer=LISTENER,
        clock=SystemClock(),
    )
    trace.open()
    trace.describe(request)
    async with AsyncExitStack() as stack:
        key = await service.key_of(None)
        answer = await service.admit(request.work, key, trace, stack)
        while not answer.is_ended:
            await answer.take()
    trace.finish()
    trace.close()
    return LISTENER.finished.pop()


async def test_images_that_were_known_and_what_the_others_took(
    service: ModelService,
) -> None:
    ask = (TextPart("What is this?"), red_square())
    first, second = [await row_of(service, *ask) for _ in range(2)]
    assert (first.images, first.images_cached) == (1, 0)
    assert first.image_encode_s is not None
    assert first.image_encode_s > 0
    assert first.image_tokens
    assert (second.images, second.images_cached) == (1, 1)


async def test_the_batch_the_memory_and_the_defaults(service: ModelService) -> None:
    alone = await row_of(service, TextPart("Hello"), ignore_eos=True, temperature=0.5)
    assert (alone.batch_mean, alone.batch_max) == (1.0, 1)
    assert alone.memory_bytes
    assert "temperature" not in alone.defaults
    assert alone.defaults["top_p"] <= 1
    assert "max_tokens" not in alone.defaults
    # Long enough that the first still speaks when the last begins.
    long: dict[str, Any] = {"ignore_eos": True, "max_tokens": 1000}
    together = await asyncio.gather(
        *(row_of(service, TextPart("Hello"), **long) for _ in range(4))
    )
    assert max(row.batch_max or 0 for row in together) > 1
    for row in together:
        assert 1 <= (row.batch_mean or 0) <= (row.batch_max or 0) <= 4
