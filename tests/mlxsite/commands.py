"""Runs the product's command lines as a user does: another process, an exit code."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
PATIENCE_S = 120


def mlx_server(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run `mlx-server` to its end."""
    return _run([sys.executable, "-m", "mlxsite", *words], environment)


def mlx_server_with_open_files(
    most: int, *words: str, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run `mlx-server` where so many files may be open, hard and soft."""
    limited = ("sh", "-c", f'ulimit -n {most} && exec "$@"', "sh")
    command = [*limited, sys.executable, "-m", "mlxsite", *words]
    return _run(command, environment)


def manage(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run `manage.py` to its end."""
    return _run([sys.executable, "manage.py", *words], environment)


def _run(
    command: list[str], environment: dict[str, str]
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        cwd=REPOSITORY,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )


def only_line(result: subprocess.CompletedProcess[str]) -> str:
    """Return the one line of stderr; fail on a second one, or a wrong exit code."""
    assert result.returncode == 2, result.stderr
    (line,) = result.stderr.splitlines()
    return line
