"""JSON files that begin with a byte order mark, as some editors of Windows write them."""

from __future__ import annotations

import codecs
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def without_marks(path: Path) -> Iterator[Path]:
    """Hand out a model's folder as the libraries can read it, while it is loaded.

    That is `path` itself where no file has a mark, else a folder of links to its
    files, with copies of the marked ones.
    """
    marked = [file for file in path.glob("*.json") if _has_mark(file)]
    if not marked:
        yield path
        return
    with TemporaryDirectory() as name:
        folder = Path(name)
        for file in path.iterdir():
            if file not in marked:
                (folder / file.name).symlink_to(file.resolve())
        for file in marked:
            text = file.read_bytes().removeprefix(codecs.BOM_UTF8)
            (folder / file.name).write_bytes(text)
        yield folder


def _has_mark(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(len(codecs.BOM_UTF8)) == codecs.BOM_UTF8
