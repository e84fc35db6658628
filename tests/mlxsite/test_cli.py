"""The command line explains itself, and quickly."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import version

from mlxsite import __version__
from tests.mlxsite.commands import REPOSITORY, mlx_server, only_line


def test_it_lists_its_commands() -> None:
    result = mlx_server("--help")

    assert result.returncode == 0
    for command in ("launch", "admin", "migrate", "check"):
        assert f"\n  {command} " in result.stdout


def test_it_tells_all_versions() -> None:
    result = mlx_server("--version")

    lines = result.stdout.splitlines()
    assert lines[0] == f"mlx-server {__version__}"
    assert f"mlx {version('mlx')}" in lines
    assert f"mlx-lm {version('mlx-lm')}" in lines
    assert f"Django {version('django')}" in lines
    assert lines[-1].startswith(f"Python {sys.version_info.major}.")


def test_it_tells_versions_without_importing_what_it_names() -> None:
    code = (
        "import sys; from mlxsite.cli import main; main(['--version']); "
        "print([name for name in ('mlx', 'mlx_lm', 'transformers') "
        "if name in sys.modules])"
    )
    result = subprocess.run(
        [sys.executable, "-c", code],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    )

    assert result.stdout.splitlines()[-1] == "[]"


def test_it_refuses_an_unknown_command_in_one_line() -> None:
    line = only_line(mlx_server("lunch"))

    assert line.startswith("error: unknown command 'lunch'; one of launch, ")


def test_launch_shows_its_options_with_examples() -> None:
    result = mlx_server("launch", "--help", PORT="8123")

    assert result.returncode == 0
    assert "usage: mlx-server launch [OPTIONS]" in result.stdout
    assert "mlx-server launch --max-concurrency 1 " in result.stdout
    assert "port (8123)" in result.stdout
    for option in ("--model-path", "--model-type", "--queue-size", "--queue-timeout"):
        assert option in result.stdout


def test_launch_bounds_its_options() -> None:
    result = mlx_server("launch", "--port", "70000")

    assert result.returncode == 2
    assert result.stderr.splitlines()[-1] == (
        "mlx-server launch: error: argument --port: "
        "must be between 1 and 65535, not 70000"
    )


def test_launch_knows_two_model_types() -> None:
    result = mlx_server("launch", "--model-type", "gif")

    assert result.returncode == 2
    assert "invalid choice: 'gif'" in result.stderr


def test_check_is_passed_on_to_django() -> None:
    result = mlx_server("check")

    assert result.returncode == 0, result.stderr
    assert "System check identified" in result.stdout
