"""A config that no weights bear out is refused at once, and nobody else is moved."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.e2e.bystander import LONGEST_GAP_S, Bystander
from tests.library.cast import put_model

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.conftest import StartServer
    from tests.e2e.servers import Server

pytestmark = pytest.mark.slow

ABSURD: dict[str, dict[str, Any]] = {
    "num_hidden_layers": {"num_hidden_layers": 1_000_000_000},
    "vision_config.depth": {"vision_config": {"depth": 1_000_000_000}},
    "vocab_size": {"vocab_size": 10**12},
    "hidden_size": {"hidden_size": -64},
}


def load(server: Server, name: str) -> httpx.Response:
    return httpx.post(
        f"{server.base_url}/v1/models/load", json={"model": name}, timeout=20
    )


def test_absurd_numbers_are_refused_by_key_while_others_are_answered(
    start_server: StartServer, rambler_dir: Path, tiny_model_dir: Path, tmp_path: Path
) -> None:
    shelf = tmp_path / "shelf"
    for name, config in ABSURD.items():
        put_model(tiny_model_dir, shelf / name, **config)
    server = start_server(rambler_dir, MODEL_DIRS=str(shelf)).wait_ready()
    reader = Bystander(server, "rambler", tokens=300)
    for name in ABSURD:
        answer = load(server, name)
        assert answer.status_code == 400, answer.text
        message = answer.json()["error"]["message"]
        assert f"{name} of config.json cannot be" in message
    assert reader.stop() <= LONGEST_GAP_S
    assert server.process.poll() is None
    rows = [row for row in server.wait_rows(len(ABSURD) + 1).values() if row["error"]]
    assert {row["outcome"] for row in rows} == {"invalid"}
    assert len(rows) == len(ABSURD)
