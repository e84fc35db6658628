"""Where a client is installed: a throwaway environment of its own, under the cache.

Nothing of it reaches the project's environment. What is installed stays until the
packages asked for are others.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

REPOSITORY = Path(__file__).resolve().parent.parent.parent
SCRIPTS = Path(__file__).resolve().parent / "scripts"
INSTALL_S = 900
RUN_S = 600
# Whatever asks for more than the server that is tested does not get it.
NOWHERE = "http://127.0.0.1:9"


def cache() -> Path:
    """Return the folder of all of them."""
    models = os.environ.get("MLX_TEST_CACHE", REPOSITORY / ".cache" / "models")
    return Path(models) / "clients"


@dataclass(frozen=True)
class Environment:
    """Packages with their versions, installed in a folder named for them."""

    name: str
    packages: tuple[str, ...]

    @property
    def folder(self) -> Path:
        """Where it is."""
        return cache() / self.name

    def ready(self) -> Path:
        """Install what is missing; return the folder."""
        stamp, wanted = self.folder / "installed.json", list(self.packages)
        if stamp.exists() and json.loads(stamp.read_text()) == wanted:
            return self.folder
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        for command in self.installing():
            _checked(command, self.folder, os.environ, INSTALL_S)
        stamp.write_text(json.dumps(wanted))
        return self.folder

    def installing(self) -> list[list[str]]:
        """Return the commands that install it."""
        raise NotImplementedError

    def running(self, script: Path) -> list[str]:
        """Return the command that runs a script in it."""
        raise NotImplementedError

    def run(self, script: str, *arguments: str, **settings: str) -> Any:
        """Run one of the scripts; return the JSON of its last line.

        It reaches this machine and no other; `settings` are its environment's.
        """
        self.ready()
        source = SCRIPTS / script
        copy = self.folder / script
        shutil.copy(source, copy)
        said = _checked(
            [*self.running(copy), *arguments], self.folder, bounded(**settings), RUN_S
        )
        return json.loads(said.splitlines()[-1])


class NodeEnvironment(Environment):
    """npm's packages; without npm its tests are left out, but not in CI."""

    def installing(self) -> list[list[str]]:
        """Install without scripts of packages: none of these needs them."""
        if not shutil.which("npm") and not os.environ.get("CI"):
            pytest.skip("npm not found; this client is installed by it")
        quiet = ["--no-audit", "--no-fund", "--ignore-scripts", "--prefix", "."]
        return [["npm", "install", *quiet, *self.packages]]

    def running(self, script: Path) -> list[str]:
        """Run a module with Node."""
        return ["node", str(script)]


class PythonEnvironment(Environment):
    """PyPI's packages."""

    def installing(self) -> list[list[str]]:
        """Install into a virtual environment."""
        quiet = ["--quiet", "--disable-pip-version-check", "--no-input"]
        return [
            [sys.executable, "-m", "venv", "."],
            ["bin/python", "-m", "pip", "install", *quiet, *self.packages],
        ]

    def running(self, script: Path) -> list[str]:
        """Run a script with its Python, which knows no module of this project."""
        return [str(self.folder / "bin" / "python"), "-P", str(script)]


def bounded(**settings: str) -> dict[str, str]:
    """Return variables for a client that reaches this machine and no other."""
    home = cache() / "home"
    home.mkdir(parents=True, exist_ok=True)
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        **dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"), NOWHERE),
        "NO_PROXY": "127.0.0.1,localhost",
        **settings,
    }


def _checked(
    command: Sequence[str], folder: Path, environment: Mapping[str, str], limit_s: float
) -> str:
    done = subprocess.run(
        command,
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=limit_s,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
    return done.stdout
