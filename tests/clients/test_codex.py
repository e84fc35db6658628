"""Codex itself: it runs a command for the model, tells what came of it, and is resumed."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from tests.clients.agent_model import write_agent
from tests.clients.conftest import ANSWER, NOTE
from tests.clients.environments import RUN_S, NodeEnvironment, bounded
from tests.e2e.servers import Server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CODEX = NodeEnvironment("codex", ("@openai/codex@0.171.0",))
COMMAND = "cat note.txt"
CONFIG = """\
model = "agent"
model_provider = "mlx-server"
model_context_window = 65536
[model_providers.mlx-server]
name = "mlx-server"
base_url = "{url}/v1"
wire_api = "responses"
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server whose model runs a command, and then answers."""
    folder = tmp_path_factory.mktemp("codex")
    tool, arguments = "exec_command", {"cmd": COMMAND}
    write_agent(folder / "agent", tool=tool, arguments=arguments, answer=ANSWER)
    server = Server(folder / "data", folder / "agent")
    yield server.wait_ready()
    server.kill()


@pytest.fixture
def home(server: Server, tmp_path: Path) -> Path:
    """Its home, with the server for a provider and a note to read."""
    (tmp_path / "config.toml").write_text(CONFIG.format(url=server.base_url))
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "note.txt").write_text(NOTE)
    return tmp_path


def say(home: Path, *words: str) -> list[dict[str, Any]]:
    """Run it once beside the note; return what it tells, line by line."""
    program = CODEX.ready() / "node_modules" / ".bin" / "codex"
    options = ["--json", "--skip-git-repo-check"]
    sandbox = ["--dangerously-bypass-approvals-and-sandbox"]
    done = subprocess.run(
        [program, "exec", *words[:-1], *options, *sandbox, words[-1]],
        cwd=home / "work",
        env=bounded(HOME=str(home), CODEX_HOME=str(home)),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=RUN_S,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_it_runs_a_command_answers_and_is_resumed(server: Server, home: Path) -> None:
    before = server.count_rows()
    for words in (("Where is the key?",), ("resume", "--last", "Where again?")):
        told = say(home, *words)
        items = [line["item"] for line in told if line["type"] == "item.completed"]
        (command,) = (item for item in items if item["type"] == "command_execution")
        assert COMMAND in command["command"]
        assert command["aggregated_output"] == NOTE
        (answer,) = (item for item in items if item["type"] == "agent_message")
        assert answer["text"] == ANSWER
    rows = list(server.wait_rows(before + 4).values())[before:]
    asked = [row for row in rows if row["endpoint"] == "/v1/responses"]
    assert [row["outcome"] for row in asked] == ["finished"] * 4
    assert all(row["cached_tokens"] > 0.9 * row["prompt_tokens"] for row in asked[1:])
