"""`make` says in a line what it installs, and shows pip's words only where it fails."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.mlxsite.commands import REPOSITORY

if TYPE_CHECKING:
    from pathlib import Path

FILES = ("Makefile", "requirements.txt", "pyproject.toml", "setup.py")
# Stands in for the environment's Python: what pip says, and how it ends.
PYTHON = """\
#!/bin/sh
[ "$3" = install ] || exit 0
echo "WARNING: Location 'file:///nowhere' is ignored" >&2
echo "Collecting quick"
echo "  Downloading quick-1.0-py3-none-any.whl (3 kB)"
[ -e offline ] || exit 0
echo "Collecting mlx"
echo "  Downloading mlx-0.32.4-py3-none-any.whl (40 MB)"
echo "ERROR: the connection broke" >&2
exit 1
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """What `make` needs of a checkout, with an environment that was just created."""
    for name in FILES:
        shutil.copy(REPOSITORY / name, tmp_path / name)
    python = tmp_path / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(PYTHON)
    python.chmod(0o755)
    return tmp_path


def make(checkout: Path) -> subprocess.CompletedProcess[str]:
    """Install the packages, also where `make test` has started these tests."""
    own = ("MAKEFLAGS", "MAKELEVEL", "MFLAGS")
    environment = {name: it for name, it in os.environ.items() if name not in own}
    return subprocess.run(
        ["make", ".venv/.installed"],
        cwd=checkout,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_an_installation_is_one_line_with_its_size_and_time(checkout: Path) -> None:
    result = make(checkout)
    assert re.fullmatch(
        r"Packages: \d+ MB to download, [\d.]+ GB installed \(once, some minutes\) "
        r"\.\.\. \d+ s\n",
        result.stdout,
    )
    assert (result.returncode, result.stderr) == (0, "")


def test_a_second_time_there_is_nothing_to_say(checkout: Path) -> None:
    make(checkout)
    assert "Packages" not in make(checkout).stdout


def test_a_failed_download_is_named_and_the_next_make_goes_on(checkout: Path) -> None:
    (checkout / "offline").touch()
    failed = make(checkout)
    assert failed.returncode == 2
    assert "ERROR: the connection broke" in failed.stderr
    assert "error: pip failed at mlx-0.32.4-py3-none-any.whl" in failed.stderr
    assert failed.stdout.endswith(" ... failed\n")

    (checkout / "offline").unlink()
    assert make(checkout).returncode == 0
