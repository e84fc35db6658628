"""`mlx-server connect`: what it shows, what it warns of, and what it starts."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

import pytest
from django.core.management import call_command

from inference.client.connect.registry import PROFILES
from tests.mlxsite.commands import mlx_server
from tests.mlxsite.connect.cast import (
    BIG,
    KEY,
    contents,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.client.scripted_server import ScriptedServer


@pytest.mark.parametrize("tool", sorted(PROFILES))
def test_print_shows_it_without_the_key_and_writes_nothing(
    tool: str, home: Path, connect
) -> None:
    said, warned, code = connect(tool, "--print")
    assert (code, contents(home)) == (0, {})
    assert "org/Qwen3-Coder" in said
    assert KEY not in said + warned
    assert "********" in said
    assert KEY in connect(tool, "--print", "--show-key")[0]


def test_a_tool_of_variables_is_shown_them(home: Path, connect) -> None:
    said, _, code = connect("copilot")
    assert (code, contents(home)) == (0, {})
    assert "export COPILOT_MODEL=org/Qwen3-Coder\n" in said
    assert "export COPILOT_PROVIDER_API_KEY='********'\n" in said


def test_no_key_is_written_for_a_server_that_wants_none(
    home: Path,
    scripted: Callable[..., ScriptedServer],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "meant-for-openai")
    open_server = scripted(models=[BIG])
    call_command("connect", "opencode", "--url", open_server.base_url)
    path = home / ".config/opencode/opencode.json"
    assert "meant-for-openai" not in path.read_text()
    assert stat.S_IMODE(path.stat().st_mode) == 0o644


@pytest.mark.parametrize(
    ("words", "lines"),
    [
        (("codex",), ["Codex CLI calls {url}/responses, which is not there"]),
        (("aider",), []),
        (("opencode",), []),
        (
            ("opencode", "--model", "tiny"),
            [
                "tiny takes 2,048 tokens; opencode wants at least 64,000 "
                "(https://docs.ollama.com/integrations/opencode)",
                "nobody knows how tiny calls tools, and opencode lives by them: they "
                "are explained to it in words, and its calls are best effort",
                "tiny: calls are read by mlx-lm's parser, when they are whole",
            ],
        ),
        (
            ("aider", "--model", "stranger"),
            [
                "the server does not tell the context of stranger; Aider wants at "
                "least 8,192 (https://aider.chat/docs/llms/ollama.html)"
            ],
        ),
        (("aider", "--model", "stranger", "--context", "9000"), []),
    ],
)
def test_it_warns_of_what_may_go_wrong(
    words: tuple[str, ...], lines: list[str], server: ScriptedServer, connect
) -> None:
    _, warned, code = connect(*words, "--print")
    expected = [f"warning: {line.format(url=server.base_url)}" for line in lines]
    assert (warned.splitlines(), code) == (expected, 0)


def test_it_lists_the_tools(connect) -> None:
    said, _, code = connect()
    assert [line.split()[0] for line in said.splitlines()] == list(PROFILES)
    assert (code, len(PROFILES)) == (0, 12)


PROGRAM = """\
#!/bin/sh
echo "words: $*"
echo "model: $COPILOT_MODEL"
echo "key: $COPILOT_PROVIDER_API_KEY"
echo "mine: $MINE"
echo "password: $DATABASE_URL"
exit 7
"""


def test_start_runs_the_tool_with_its_variables_and_no_secrets_of_the_server(
    tmp_path: Path, server: ScriptedServer
) -> None:
    program = tmp_path / "copilot"
    program.write_text(PROGRAM)
    program.chmod(0o755)
    env_file = tmp_path / "env"
    env_file.write_text("DATABASE_URL=postgres://user:password@localhost/x\n")

    result = mlx_server(
        *("connect", "copilot", "--start", "--url", server.base_url, "--api-key", KEY),
        *("--", "-p", "say hello"),
        PATH=f"{tmp_path}:{os.environ['PATH']}",
        HOME=str(tmp_path),
        MLX_ENV_FILE=str(env_file),
        MLX_DATA_DIR=str(tmp_path / "data"),
        MINE="yes",
    )
    assert result.returncode == 7, result.stderr
    assert result.stdout.splitlines() == [
        "words: -p say hello",
        "model: org/Qwen3-Coder",
        f"key: {KEY}",
        "mine: yes",
        "password: ",
    ]
