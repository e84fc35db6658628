"""How many functions one streamed chat passes in the web process, and what a token costs.

`python -m tests.bench.path`: the whole of the web process but its socket, around a
real worker with the tiny test model. It prints the distinct functions of this project
until the first chunk, the files they stand in, and how many generators of it are
resumed for each token.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from types import CodeType, FrameType

ROOT = Path(__file__).resolve().parents[2]
ROOMS = tuple(f"{ROOT}/{room}/" for room in ("inference", "metrics", "mlxsite"))
TINY = ROOT / "tests" / "models" / "tiny-qwen2-vl"
GENERATORS = 0x20 | 0x200  # CO_GENERATOR and CO_ASYNC_GENERATOR
BODY = {
    "messages": [{"role": "user", "content": "Tell me of the sea."}],
    "stream": True,
    "max_tokens": 40,
    "ignore_eos": True,
}


def say(line: str) -> None:
    """Write a line."""
    sys.stdout.write(f"{line}\n")


class Trail:
    """Counts what is called between `start` and `stop`, this project's only."""

    def __init__(self) -> None:
        self.calls: Counter[CodeType] = Counter()

    def start(self) -> None:
        sys.setprofile(self._saw)

    def stop(self) -> None:
        sys.setprofile(None)

    def _saw(self, frame: FrameType, event: str, _argument: Any) -> None:
        if event == "call" and frame.f_code.co_filename.startswith(ROOMS):
            self.calls[frame.f_code] += 1

    def generators(self) -> Counter[str]:
        """Return how often each generator was begun or resumed."""
        return Counter(
            {
                code.co_qualname: count
                for code, count in self.calls.items()
                if code.co_flags & GENERATORS and not code.co_name.startswith("<")
            }
        )


async def chat(application: Any, on_first_chunk: Any) -> int:
    """Run one streamed chat; return how many chunks it had."""
    body = json.dumps(BODY).encode()
    headers = {"host": "127.0.0.1", "content-type": "application/json"}
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "path": "/v1/chat/completions",
        "raw_path": b"/v1/chat/completions",
        "query_string": b"",
        "headers": [(k.encode(), v.encode()) for k, v in headers.items()]
        + [(b"content-length", str(len(body)).encode())],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 2),
    }
    messages = [{"type": "http.request", "body": body, "more_body": False}]
    gone = asyncio.Event()
    chunks = 0

    async def receive() -> dict[str, Any]:
        if messages:
            return messages.pop(0)
        await gone.wait()
        return {"type": "http.disconnect"}

    async def send(message: dict[str, Any]) -> None:
        nonlocal chunks
        chunk = message.get("body", b"")
        if chunk:
            chunks += chunk.count(b"data: {")
            on_first_chunk()

    await application(scope, receive, send)
    gone.set()
    return chunks


async def main(model: str) -> None:
    """Serve one model in this process, and follow one request."""
    from inference.auth import SharedKey
    from inference.core.models import ModelSource
    from inference.core.trace import ServerIdentity
    from inference.runtime.app import App, install_app
    from inference.runtime.config import RuntimeConfig
    from inference.runtime.service import ModelService
    from mlxsite.asgi import application
    from tests.api.cast import FixedStats, HealthyRecord, Ledger
    from tests.fast_blas import openblas_for_tests

    class Quiet(Ledger):
        def server_event(self, event: Any) -> None: ...

    identity = ServerIdentity(node="bench", boot_id="bench")
    config = RuntimeConfig(
        machine_bytes=2**34, has_spare_worker=False, openblas=openblas_for_tests()
    )
    service = ModelService(config=config, observer=Quiet(), identity=identity)
    service.begin([ModelSource("tiny", model)])
    await service.wait_loaded("tiny")
    install_app(
        App(
            service=service,
            observer=Quiet(),
            stats=FixedStats(),
            keys=SharedKey(""),
            identity=identity,
            record=HealthyRecord(),
        )
    )
    try:
        await chat(application, lambda: None)  # imports and caches
        until_first, whole = Trail(), Trail()
        until_first.start()
        await chat(application, until_first.stop)
        until_first.stop()
        files = {code.co_filename for code in until_first.calls}
        say(f"functions until the first chunk: {len(until_first.calls)}")
        say(f"files they stand in: {len(files)}")
        whole.start()
        chunks = await chat(application, lambda: None)
        whole.stop()
        tokens = BODY["max_tokens"]
        say(f"chunks: {chunks}, tokens: {tokens}")
        for name, count in whole.generators().most_common(12):
            say(f"  {name}: {count}")
    finally:
        await service.stop()


if __name__ == "__main__":
    os.environ["MLX_DATA_DIR"] = tempfile.mkdtemp()
    asyncio.run(main(sys.argv[1] if sys.argv[1:] else str(TINY)))
