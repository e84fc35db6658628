"""Makes a model folder of a GGUF file, whole or not at all.

The conversion runs in a process of its own: this one never imports MLX.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING

import msgspec

from inference.library.files import missing_from_model
from inference.library.hub_reports import DownloadProgress
from inference.library.locks import locked

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

LOCK = ".lock"
WORK_PREFIX = ".making-"
SOURCE_ROOT = Path(__file__).resolve().parents[2]
ERROR = "error: "


class ConversionError(ValueError):
    """The file is refused, or could not be converted; the message is one line."""


class Prospect(msgspec.Struct, frozen=True):
    """What a file would become: `parameters` counts weights, `name` is its own."""

    name: str
    architecture: str
    parameters: int
    size_bytes: int


@contextmanager
def work_folder(
    models_dir: Path, *, on_wait: Callable[[], None] | None = None
) -> Iterator[Path]:
    """Give an empty folder beside the models, which is gone at the end.

    Only one process has one: `on_wait` is called once where another does. What a
    killed one left is removed first.
    """
    with locked(models_dir / LOCK, on_wait=on_wait):
        for left in models_dir.glob(f"{WORK_PREFIX}*"):
            shutil.rmtree(left, ignore_errors=True)
        with tempfile.TemporaryDirectory(dir=models_dir, prefix=WORK_PREFIX) as work:
            yield Path(work)


def look_into(source: Path, *, dtype: str) -> Prospect:
    """Return what `source` would become, with all but its weights checked.

    Raises:
        ConversionError: it is refused.
    """
    lines: list[str] = []
    _run([str(source), "--dtype", dtype], lines.append)
    return msgspec.json.decode(lines[-1], type=Prospect)


def convert_gguf(
    source: Path,
    target: Path,
    *,
    dtype: str,
    on_progress: Callable[[DownloadProgress], None] | None = None,
) -> None:
    """Write the model in `source` into the new folder `target`.

    What a refusal leaves there is the caller's to remove; see `work_folder`.

    Raises:
        ConversionError: the file is refused, or the conversion came to nothing.
    """

    def tell(line: str) -> None:
        if on_progress is not None:
            on_progress(msgspec.json.decode(line, type=DownloadProgress))

    _run([str(source), str(target), "--dtype", dtype], tell)
    missing = missing_from_model(target)
    if missing is not None:
        raise ConversionError(f"{source.name} was converted in part: no {missing}")


def _run(words: Sequence[str], on_line: Callable[[str], None]) -> None:
    """Run the converter to its end; `on_line` is given each line that it tells.

    Raises:
        ConversionError: what its last line on stderr says, if it fails.
    """
    # -P and PYTHONPATH: our own package, whatever lies in the current folder.
    command = [sys.executable, "-P", "-m", "inference.engine.gguf.convert", *words]
    paths = [str(SOURCE_ROOT), os.environ.get("PYTHONPATH", "")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))}
    # A file, because a pipe that nobody reads would block.
    with (
        tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as errors,
        _running(command, environment, errors) as process,
    ):
        for line in process.stdout or ():
            on_line(line)
        code = process.wait()
        if code:
            errors.seek(0)
            raise ConversionError(_reason(errors.read(), code))


@contextmanager
def _running(
    command: Sequence[str], environment: dict[str, str], errors: IO[str]
) -> Iterator[subprocess.Popen[str]]:
    """Start a process, which does not outlive the block, whatever ends it."""
    with subprocess.Popen(  # noqa: S603 -- our own interpreter
        command,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=errors,
        text=True,
        encoding="utf-8",
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def _reason(told: str, code: int) -> str:
    lines = told.strip().splitlines()
    if code < 0:
        return f"the conversion was ended by signal {-code}"
    return lines[-1].removeprefix(ERROR) if lines else f"the conversion ended: {code}"
