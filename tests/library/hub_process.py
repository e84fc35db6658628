"""The process that downloads, run by hand."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.library.fake_hub import FakeHub

REPO = "org/tiny"
ROOT = Path(__file__).resolve().parents[2]
PATIENCE_S = 60


def start(hub: FakeHub, tmp_path: Path, *arguments: str, **more: str) -> Any:
    """Start the download's process with a home of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "inference.library.hub_download", *arguments],
        cwd=ROOT,
        env={**os.environ, **hub.environment(tmp_path / "home"), **more},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def fetch(
    hub: FakeHub, tmp_path: Path, *arguments: str, **more: str
) -> list[dict[str, Any]]:
    """Let it run to its end; return what it said."""
    process = start(hub, tmp_path, *(arguments or (REPO,)), **more)
    out, _ = process.communicate(timeout=PATIENCE_S)
    return list(map(json.loads, out.splitlines()))


def content(folder: Path) -> dict[str, bytes]:
    """Return the files of a folder by name."""
    return {file.name: file.read_bytes() for file in folder.iterdir()}
