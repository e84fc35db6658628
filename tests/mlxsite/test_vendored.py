"""Files of others that we ship: unchanged, and with their licence."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

import metrics
import mlxsite

ROOMS = {
    module.__name__: Path(module.__file__).parent
    / "static"
    / module.__name__
    / "vendor"
    for module in (metrics, mlxsite)
}


@pytest.mark.parametrize("room", ROOMS)
def test_what_is_vendored_is_what_was_published(room: str) -> None:
    folders = list(ROOMS[room].iterdir())
    assert folders
    for folder in folders:
        lines = (folder / "SHA256SUMS").read_text().splitlines()
        sums = {name: digest for digest, name in (line.split() for line in lines)}
        files = {path.name for path in folder.iterdir()}
        assert files == {*sums, "SHA256SUMS", "VERSION"}
        assert "LICENSE" in sums
        for name, digest in sums.items():
            assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest
