"""`mlx-server connect`: what it cannot do is one line, and nothing is changed."""

from __future__ import annotations

import ctypes
import os
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pytest

from tests.mlxsite.connect.cast import (
    KEY,
    contents,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


CAPABILITIES_VERSION = 0x20080522
# CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH.
PASS_OVER_MODES = 0b110


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (("codex", "--model", "none"), "the server has no model 'none': `mlx-server"),
        (
            ("zed", "--model", "stranger"),
            "Zed must know how many tokens stranger takes",
        ),
        (("aider", "--start"), "aider is not installed: pip install aider-chat"),
        (("aider", "more", "words"), "words for the tool itself need --start"),
    ],
)
def test_what_cannot_be_done_is_one_line(
    words: tuple[str, ...],
    line: str,
    home: Path,
    connect,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PATH", str(home))
    said, told, code = connect(*words)
    *_, last = told.splitlines()
    assert last.startswith(f"error: {line}")
    assert (said, code > 0, contents(home)) == ("", True, {})


def _broken(path: Path) -> None:
    path.write_text('{"env": ')


def _link(path: Path) -> None:
    path.with_name("real.json").write_text("{}")
    path.symlink_to("real.json")


def _folder(path: Path) -> None:
    path.mkdir()


def _binary(path: Path) -> None:
    path.write_bytes(b'{"a": "\xff\xfe"}')


def _huge(path: Path) -> None:
    path.write_bytes(b" " * (4 * 1024 * 1024 + 1))


def _other_kind(path: Path) -> None:
    path.write_text('{"env": ["a list"]}')


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (_broken, "is left as it is: it is no JSON: a value is missing or broken"),
        (_link, "is a link to real.json: it is left alone"),
        (_folder, "is no file"),
        (_binary, "is no text in UTF-8"),
        (_huge, "is larger than 4,194,304 bytes"),
        (_other_kind, "is left as it is: what should hold"),
    ],
)
def test_a_file_that_it_cannot_change_is_one_line_and_what_to_put_there(
    make: Callable[[Path], None], why: str, home: Path, connect
) -> None:
    path = home / ".claude/settings.json"
    path.parent.mkdir()
    make(path)
    before = contents(home)

    said, told, code = connect("claude-code")
    (line,) = told.splitlines()[-1:]
    assert line.startswith(f"error: {path} {why}")
    assert code == 1
    assert contents(home) == before
    assert "ANTHROPIC_BASE_URL" in said
    assert KEY not in said + told


@contextmanager
def as_others_are() -> Iterator[None]:
    """Be held to the modes of files as anybody is, also where root runs tests.

    Root stays who it is, so that all that is its own can still be read: of its rights
    the one to pass over modes is put down for a while (capabilities(7)).
    """
    if os.geteuid() != 0:
        yield
        return
    libc = ctypes.CDLL(None, use_errno=True)
    header = (ctypes.c_uint32 * 2)(CAPABILITIES_VERSION, 0)
    # Effective, permitted, inheritable: the first 32 of each, then the others.
    held = (ctypes.c_uint32 * 6)()
    assert libc.capget(header, held) == 0
    fewer = (ctypes.c_uint32 * 6)(*held)
    fewer[0] &= ~PASS_OVER_MODES
    assert libc.capset(header, fewer) == 0
    try:
        yield
    finally:
        assert libc.capset(header, held) == 0


@contextmanager
def read_only_home(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Be somebody who may not write in their home folder, also where root runs tests."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o555)
        monkeypatch.setenv("HOME", name)
        try:
            with as_others_are():
                yield folder
        finally:
            folder.chmod(0o755)


def test_a_read_only_folder_is_one_line(
    connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    with read_only_home(monkeypatch) as folder:
        _, told, code = connect("codex")
        assert contents(folder) == {}
    path = folder / ".codex/config.toml"
    *_, last = told.splitlines()
    assert last == f"error: {path} cannot be written: Permission denied"
    assert code == 1


def test_of_two_files_none_is_changed_where_one_cannot_be(home: Path, connect) -> None:
    (home / ".aider.model.metadata.json").mkdir()
    before = contents(home)
    assert connect("aider")[2] == 1
    assert contents(home) == before
