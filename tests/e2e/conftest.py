"""Servers for end-to-end tests: one shared for tests that disturb nobody."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Protocol

import pytest

from tests.browsers import open_browser
from tests.e2e.chat_page import ChatPage
from tests.e2e.servers import REPOSITORY, Server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from selenium.webdriver import Chrome


class StartServer(Protocol):
    def __call__(self, model: Path, *options: str, **environment: str) -> Server: ...


@pytest.fixture(scope="session")
def rambler_dir(tiny_model_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A real model that answers until it is stopped."""
    return _made("rambler", tiny_model_dir, tmp_path_factory)


@pytest.fixture(scope="session")
def thinker_dir(tiny_model_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A real model with thinking and a call format of its own."""
    return _made("thinker", tiny_model_dir, tmp_path_factory)


def _made(name: str, tokenizer: Path, factory: pytest.TempPathFactory) -> Path:
    target = factory.mktemp("models") / name
    maker = f"tests.models.make_{name}"
    command = [sys.executable, "-m", maker, str(tokenizer), str(target)]
    subprocess.run(command, check=True, cwd=REPOSITORY)
    return target


@pytest.fixture
def start_server(tmp_path: Path) -> Iterator[StartServer]:
    """Start servers on one data folder; they end with the test."""
    started: list[Server] = []

    def start(model: Path, *options: str, **environment: str) -> Server:
        server = Server(tmp_path / "data", model, *options, **environment)
        started.append(server)
        return server

    yield start
    for server in started:
        if server.process.poll() is None:
            server.kill()


def running(model: Path, factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One running server on a data folder of its own, until its tests have ended."""
    server = Server(factory.mktemp(model.name) / "data", model)
    yield server.wait_ready()
    server.kill()


# Whatever modules the process runs: a test that counts rows counts from where it began.
@pytest.fixture(scope="session")
def tiny_server(
    tiny_model_dir: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """The tiny model, for tests that leave it as they found it."""
    yield from running(tiny_model_dir, tmp_path_factory)


@pytest.fixture(scope="session")
def rambler_server(
    rambler_dir: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """A model that answers until it is stopped."""
    yield from running(rambler_dir, tmp_path_factory)


@pytest.fixture(scope="session")
def minilm_server(
    minilm_dir: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """A real embedding model."""
    yield from running(minilm_dir, tmp_path_factory)


@pytest.fixture(scope="session")
def thinker_server(
    thinker_dir: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """A model that thinks, and calls in its own format."""
    yield from running(thinker_dir, tmp_path_factory)


@pytest.fixture(scope="module")
def smollm2_server(
    smollm2_dir: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """A small model that makes sense."""
    yield from running(smollm2_dir, tmp_path_factory)


# With three models it is the slowest to start, and its tests look at their own rows.
@pytest.fixture(scope="session")
def chat_server(
    tiny_model_dir: Path,
    rambler_dir: Path,
    thinker_dir: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Server]:
    """A model that answers and sees, one that never ends and one that thinks."""
    data = tmp_path_factory.mktemp("chat") / "data"
    more = ("--model-path", str(rambler_dir), "--model-path", str(thinker_dir))
    server = Server(data, tiny_model_dir, *more)
    yield server.wait_ready()
    server.kill()


@pytest.fixture
def browser() -> Iterator[Chrome]:
    """A browser that has never been anywhere."""
    with open_browser("--disable-gpu") as driver:
        yield driver


@pytest.fixture
def page(chat_server: Server, browser: Chrome) -> ChatPage:
    """The chat page in a browser that has never been there."""
    return ChatPage(browser, chat_server.base_url).open()
