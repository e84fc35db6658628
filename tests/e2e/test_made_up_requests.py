"""Requests made up from the server's own OpenAPI document, by schemathesis.

No answer is a 5xx, has a status or a type that the document does not tell, or another
shape than it tells.
"""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.e2e.servers import Server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CHECKS = (
    *("not_a_server_error", "status_code_conformance"),
    *("content_type_conformance", "response_schema_conformance"),
)
ASKING = (
    *("ChatRequest", "CompletionRequest", "MessageRequest", "CountRequest"),
    *("TokenizeRequest", "DetokenizeRequest"),
)


@pytest.fixture(scope="module")
def server(
    tiny_model_dir: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """A model whose answers are short, and which fetches nothing."""
    data = tmp_path_factory.mktemp("made-up") / "data"
    short = {"DEFAULT_MAX_TOKENS": "4", "ALLOW_DOWNLOAD": "false"}
    server = Server(data, tiny_model_dir, **short)
    yield server.wait_ready()
    server.kill()


def ask(server: Server, folder: Path, *options: str) -> None:
    """Let it make up requests; fail with what it says of those that went wrong."""
    document = server.get("/api/schema")
    (model,) = server.get("/v1/models")["data"]
    for name in ASKING:
        # A model that is not there would be all they find out.
        schema = document["components"]["schemas"][name]
        schema["properties"]["model"] = {"const": model["id"]}
    path = folder / "openapi.json"
    path.write_text(json.dumps(document))
    command = [sys.executable, "-m", "schemathesis.cli", "run", str(path)]
    checks = ["--url", server.base_url, "--checks", ",".join(CHECKS)]
    done = subprocess.run(
        [*command, *checks, "--no-color", *options],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
    assert server.process.poll() is None


def test_whatever_is_asked_the_answer_is_one_that_is_documented(
    server: Server, tmp_path: Path
) -> None:
    made = ["--generation-deterministic", "--no-shrink", "--seed", "1"]
    ask(server, tmp_path, "--phases", "fuzzing", "--max-examples", "2", *made)


@pytest.mark.fuzz
def test_the_same_for_many_minutes(server: Server, tmp_path: Path) -> None:
    limits = ["--max-examples", "300", "--max-time", "1200"]
    kept = ["--generation-database", "none"]
    ask(server, tmp_path, "--phases", "coverage,fuzzing", *limits, *kept)
