"""Servers for real clients: a model that they can work with, and one that makes sense."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.clients.agent_model import write_agent
from tests.e2e.conftest import minilm_server as minilm_server
from tests.e2e.conftest import smollm2_server as smollm2_server
from tests.e2e.servers import Server

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(__file__).parent
ANSWER = "It is under the mat."
NOTE = "The key is under the mat.\n"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.clients)


@dataclass(frozen=True)
class Agency:
    """A server whose model `agent` reads the file `note`, and then answers."""

    server: Server
    note: Path


@pytest.fixture(scope="session")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Agency]:
    """For agents that have a tool `Read` for files, as Claude Code does."""
    folder = tmp_path_factory.mktemp("agent")
    note = folder / "work" / "note.txt"
    note.parent.mkdir()
    note.write_text(NOTE)
    arguments = {"file_path": str(note)}
    write_agent(folder / "agent", tool="Read", arguments=arguments, answer=ANSWER)
    server = Server(folder / "data", folder / "agent", ANTHROPIC_MODEL="agent")
    yield Agency(server.wait_ready(), note)
    server.kill()
