"""Completion in real shells: commands, options, their words, models of the server."""

from __future__ import annotations

import os
import re
import stat
import sys
from typing import TYPE_CHECKING

import pytest

from mlxsite.cli import COMMANDS, grouped_commands
from tests.e2e.servers import REPOSITORY, Server
from tests.mlxsite.commands import mlx_server, only_line
from tests.mlxsite.shells import Shell
from tests.ports import kept_port

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DJANGOS = ("--settings", "--pythonpath", "--traceback", "--no-color", "--verbosity")


@pytest.fixture(scope="module")
def server(
    tiny_model_dir: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """A running server, whose models are completed."""
    data = tmp_path_factory.mktemp("completion") / "data"
    running = Server(data, tiny_model_dir, MLX_API_KEY="s3cret")
    yield running.wait_ready()
    running.kill()


@pytest.fixture(scope="module")
def environment(
    server: Server, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, str]:
    """A PATH with the command in it, and the settings of the server."""
    folder = tmp_path_factory.mktemp("bin")
    command = folder / "mlx-server"
    command.write_text(
        f'#!/bin/sh\ncd {REPOSITORY}\nexec {sys.executable} -m mlxsite "$@"\n'
    )
    command.chmod(command.stat().st_mode | stat.S_IXUSR)
    return {
        "PATH": f"{folder}:{os.environ['PATH']}",
        "MLX_DATA_DIR": str(server.data_dir),
        "PORT": str(server.port),
        "MLX_API_KEY": "s3cret",
    }


@pytest.fixture(scope="module")
def bash(environment: dict[str, str]) -> Iterator[Shell]:
    """A bash that was told the completion."""
    shell = Shell(["bash", "--norc", "--noprofile"], environment)
    shell.run("bind 'set bell-style none'; bind 'set enable-bracketed-paste off'")
    shell.run('eval "$(mlx-server completion bash)"')
    yield shell
    shell.close()


@pytest.fixture
def zsh(environment: dict[str, str]) -> Iterator[Shell]:
    """A zsh that was told the completion."""
    shell = Shell(["zsh", "-f", "-i"], environment)
    shell.run("unsetopt zle_bracketed_paste; autoload -Uz compinit; compinit -D -u")
    shell.run('eval "$(mlx-server completion zsh)"')
    yield shell
    shell.close()


def test_bash_completes_commands(bash: Shell) -> None:
    bash.completed("mlx-server doc", r"doctor $")
    text = bash.completed("mlx-server ", r"unload[\s\S]*\$ mlx-server $", tabs=2)
    assert set(COMMANDS) <= set(text.split())


def test_bash_completes_options_and_hides_django_s(bash: Shell) -> None:
    bash.completed("mlx-server bench --conc", r"--concurrency $")
    listed = r"--request-timeout[\s\S]*\$ mlx-server launch --$"
    text = bash.completed("mlx-server launch --", listed, tabs=2)
    assert "--max-concurrency" in text
    assert not any(option in text for option in DJANGOS)


def test_bash_completes_choices_and_files(bash: Shell) -> None:
    text = bash.completed("mlx-server launch --model-type ", r"lm +vlm", tabs=2)
    assert "lm" in text
    bash.completed("mlx-server connect claude", r"claude-code $")
    bash.run(f"cd {REPOSITORY}")
    bash.completed("mlx-server bench --prompt-file REA", r"README\.md $")


def test_bash_completes_the_models_of_the_running_server(bash: Shell) -> None:
    bash.completed("mlx-server unload ti", r"tiny-qwen2-vl $")
    bash.completed("mlx-server bench --requests 8 ti", r"tiny-qwen2-vl $")


def test_zsh_completes_commands_options_and_models(zsh: Shell) -> None:
    zsh.completed("mlx-server doc", r"doctor $")
    zsh.completed("mlx-server bench --conc", r"--concurrency $")
    zsh.completed("mlx-server unload ti", r"tiny-qwen2-vl $")


def test_names_are_none_where_no_server_answers() -> None:
    with kept_port() as port:
        result = mlx_server("completion", "--names", PORT=str(port))
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


def test_it_refuses_a_shell_it_does_not_know() -> None:
    assert only_line(mlx_server("completion")) == "error: name a shell: bash or zsh"
    result = mlx_server("completion", "fish")
    assert result.returncode == 2
    assert "invalid choice: 'fish'" in result.stderr


def test_help_groups_every_command_once_with_examples_and_exit_codes() -> None:
    text = mlx_server("--help").stdout
    told = re.findall(r"^  ([a-z-]+)  +\S", text, re.M)
    assert sorted(told) == sorted(COMMANDS)
    assert [word for words in grouped_commands().values() for word in words] == told
    assert "\nexamples:\n  mlx-server launch " in text
    assert "exit codes: 0 success, 1 failed, 2 wrong usage" in text
