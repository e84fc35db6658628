"""`mlx-server list`, `load` and `unload` against a running server."""

from __future__ import annotations

import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.e2e.servers import REPOSITORY, Server
from tests.ports import kept_port

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="module")
def server(
    tiny_model_dir: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """A server that needs a key, and knows one more model."""
    shelf = tmp_path_factory.mktemp("shelf")
    shutil.copytree(tiny_model_dir, shelf / "other")
    running = Server(
        tmp_path_factory.mktemp("data"),
        tiny_model_dir,
        MODEL_DIRS=str(shelf),
        MLX_API_KEY="s3cret",
    )
    yield running.wait_ready()
    running.kill()


def run(*words: str, key: str = "s3cret") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "mlxsite", *words, "--api-key", key],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_it_lists_loads_and_unloads(server: Server) -> None:
    url = ("--base-url", f"{server.base_url}/v1")
    listed = run("list", *url).stdout.splitlines()
    assert listed[0].split()[:3] == ["MODEL", "STATE", "MEMORY"]
    states = {line.split()[0]: line.split()[1] for line in listed[1:]}
    assert states == {"tiny-qwen2-vl": "ready", "other": "unloaded"}

    loaded = run("load", "other", "--key", "mine", "--pin", *url)
    assert loaded.returncode == 0, loaded.stderr
    assert loaded.stdout.splitlines()[-1].startswith("mine is ready: 2.2 MB, context ")
    assert "Loading 2.2 MB of 2.2 MB (100 %)" in loaded.stdout
    assert "ready, pinned" in run("list", *url).stdout

    assert run("unload", "mine", *url).stdout == "mine is unloaded\n"


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (("unload", "nobody"), "error: The model `nobody` is not served here."),
        (("load", "nobody"), "error: The model `nobody` is not served here."),
        (("load", "tiny-qwen2-vl"), "error: The model `tiny-qwen2-vl` is loaded"),
    ],
)
def test_what_the_server_refuses_is_one_line(
    server: Server, words: tuple[str, ...], line: str
) -> None:
    result = run(*words, "--base-url", f"{server.base_url}/v1")
    assert result.returncode == 1
    assert result.stderr.startswith(line)
    assert result.stderr.count("\n") == 1


def test_a_wrong_key_and_a_server_that_is_not_there_are_one_line(
    server: Server,
) -> None:
    wrong = run("list", "--base-url", f"{server.base_url}/v1", key="nope")
    assert wrong.stderr == (
        "error: Incorrect API key provided. "
        "Name its key with --api-key, OPENAI_API_KEY or MLX_API_KEY.\n"
    )
    with kept_port() as port:
        absent = run("list", "--base-url", f"http://127.0.0.1:{port}/v1")
    assert "start one with `mlx-server launch`" in absent.stderr
    assert absent.returncode == 1
