"""Pictures that took gigabytes once: bounded, counted, and nobody else waits."""

from __future__ import annotations

import base64
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import openai
import pytest
from PIL import Image

from tests.e2e.bystander import LONGEST_GAP_S, Bystander
from tests.e2e.servers import wait_until
from tests.pictures import ONE, encoded

if TYPE_CHECKING:
    from tests.e2e.conftest import StartServer
    from tests.e2e.servers import Server

pytestmark = pytest.mark.slow

MB = 1_000_000
SAID = 1000


def ask(server: Server, messages: list[dict[str, Any]], **options: Any) -> Any:
    client = server.client(timeout=300)
    return client.chat.completions.create(
        **{"model": "tiny-qwen2-vl", "messages": messages, "temperature": 0, **options}
    )


def pictures(count: int) -> list[dict[str, Any]]:
    """Return a turn with as many pictures of 23 megapixels."""
    file = encoded(Image.new("RGB", (4800, 4800), (200, 10, 10)))
    url = f"data:image/png;base64,{base64.b64encode(file).decode()}"
    images = [{"type": "image_url", "image_url": {"url": url}}] * count
    return [{"role": "user", "content": [*images, {"type": "text", "text": ONE}]}]


def peak_bytes(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    line = next(one for one in status.splitlines() if one.startswith("VmHWM"))
    return int(line.split()[1]) * 1024


def held_bytes(server: Server) -> int:
    (card,) = server.get("/v1/models")["data"]
    return int(card["memory_bytes"] or 0)


def test_many_large_pictures_are_refused_or_read_while_others_are_answered(
    start_server: StartServer, tiny_model_dir: Path
) -> None:
    server = start_server(tiny_model_dir, SPARE_WORKER="0").wait_ready()
    (worker,) = server.worker_pids()
    before = peak_bytes(worker)
    reader = Bystander(server, "tiny-qwen2-vl", tokens=SAID)
    with pytest.raises(openai.BadRequestError) as refused:
        ask(server, pictures(32), max_tokens=3)
    assert refused.value.code == "image_too_large"
    assert refused.value.param == "messages[0].content[8]"
    assert ask(server, pictures(8), max_tokens=3).choices
    assert reader.stop() <= LONGEST_GAP_S
    assert peak_bytes(worker) < before + 600 * MB
    assert server.process.poll() is None
    assert server.worker_pids() == [worker]
    rows = [row for row in server.rows().values() if row["error_param"]]
    assert [row["outcome"] for row in rows] == ["invalid"]


def test_memory_of_pictures_counts_as_the_models_while_they_are_there(
    start_server: StartServer, tiny_model_dir: Path
) -> None:
    server = start_server(tiny_model_dir).wait_ready()
    assert ask(server, pictures(1), max_tokens=3).choices
    wait_until(lambda: held_bytes(server) < 60 * MB, "pictures given back")
    asking = threading.Thread(target=ask, args=(server, pictures(8)), daemon=True)
    asking.start()
    wait_until(lambda: held_bytes(server) > 60 * MB, "a beat that tells of pictures")
    asking.join(120)
    wait_until(lambda: held_bytes(server) < 60 * MB, "pictures given back")
