"""A home folder, a server, and the command that is about both."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from django.core.management import call_command

from tests.client.conftest import scripted
from tests.mlxsite.connect.cast import BIG, KEY, SMALL, TOLD_NOTHING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.client.scripted_server import ScriptedServer

__all__ = ["scripted"]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home folder of its own, and no variables that lead elsewhere."""
    folder = tmp_path / "home"
    folder.mkdir()
    for name in list(os.environ):
        if name.endswith(("_HOME", "_DIR", "_CONFIG")) or name.startswith("OPENAI_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(folder))
    return folder


@pytest.fixture
def server(scripted: Callable[..., ScriptedServer]) -> ScriptedServer:
    """A server with a key, a model fit for agents, and two that are not."""
    return scripted(models=[SMALL, BIG, TOLD_NOTHING], api_key=KEY)


@pytest.fixture
def connect(
    server: ScriptedServer, capsys: pytest.CaptureFixture[str], home: Path
) -> Callable[..., tuple[str, str, int]]:
    """Run the command; return stdout, stderr and the exit code."""

    def run(*words: str) -> tuple[str, str, int]:
        code = 0
        try:
            call_command("connect", *words, "--url", server.base_url, "--api-key", KEY)
        except SystemExit as error:
            code = int(error.code or 0)
        return (*capsys.readouterr(), code)

    return run
