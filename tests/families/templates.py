"""Chat templates of many families of models, out of archives that carry them.

They belong to their makers: fetched once by pip, kept beside the models of the
tests, never part of this repository.
"""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

from inference.library.locks import locked

if TYPE_CHECKING:
    from collections.abc import Iterator

ARCHIVES = Path(__file__).with_name("archives.txt")
# Written here, after families whose templates are in none of the archives.
LIKE = Path(__file__).with_name("like")
REPOSITORY = Path(__file__).resolve().parent.parent.parent
PATIENCE_S = 600
TEMPLATE_BYTES_MOST = 256 * 1024
_LLAMA_CPP = "vendor/llama.cpp/models/templates/"
_TRL = "trl/chat_templates/"

# pip asks a source archive's own build for its metadata. This one stands in for
# it, so that nothing of the archive runs: the metadata is in the archive already.
_BUILD = """
import shutil
from email.parser import HeaderParser
from pathlib import Path


def prepare_metadata_for_build_wheel(folder, config_settings=None):
    told = HeaderParser().parsestr(Path("PKG-INFO").read_text("utf-8"))
    name = told["Name"].replace("-", "_")
    made = Path(folder) / f"{name}-{told['Version']}.dist-info"
    made.mkdir()
    shutil.copy("PKG-INFO", made / "METADATA")
    return made.name
"""


class NotFetchedError(Exception):
    """The templates cannot be had here; says why."""


def templates() -> dict[str, Path]:
    """Return each family's template by name, such as `Qwen3-Coder` or `trl/qwen3`.

    Raises:
        NotFetchedError: they could not be fetched.
    """
    folder = _folder()
    found = sorted(folder.rglob("*.jinja"))
    return {str(path.relative_to(folder).with_suffix("")): path for path in found}


def template(name: str) -> str:
    """Return one of them as text, or one of `like/`, written after a family's.

    Raises:
        NotFetchedError: they could not be fetched.
    """
    folder, _, stem = name.partition("/")
    if folder == LIKE.name:
        return (LIKE / f"{stem}.jinja").read_text(encoding="utf-8")
    return templates()[name].read_text(encoding="utf-8")


def _folder() -> Path:
    outcome = _outcome()
    if isinstance(outcome, NotFetchedError):
        raise outcome
    return outcome


@functools.cache
def _outcome() -> Path | NotFetchedError:
    """Fetch at most once a run, also where it fails."""
    models = Path(os.environ.get("MLX_TEST_CACHE", REPOSITORY / ".cache" / "models"))
    # Other pins, another folder.
    pins = ARCHIVES.read_text().split("--hash=sha256:")[1:]
    kept = models / "-".join(["families", *(pin[:8] for pin in pins)])
    try:
        with locked(models / ".families.lock"):
            if not kept.exists():
                _fetch(kept)
    except NotFetchedError as error:
        return error
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        return NotFetchedError(f"templates could not be fetched: {error}")
    return kept


def _fetch(kept: Path) -> None:
    with tempfile.TemporaryDirectory(dir=kept.parent, prefix=".families-") as name:
        work = Path(name)
        _download(work)
        made = work / "made"
        for path, text in (*_of_llama_cpp(work), *_of_trl(work)):
            target = made / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(text)
        made.rename(kept)


def _download(work: Path) -> None:
    """Let pip fetch the archives and compare their hashes."""
    build = work / "build" / "scikit_build_core"
    build.mkdir(parents=True)
    (build / "__init__.py").touch()
    (build / "build.py").write_text(_BUILD)
    (work / "unpacked").mkdir()
    command = [
        *(sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"),
        *("--no-binary=llama-cpp-python", "--only-binary=trl"),
        *("--no-build-isolation", "--require-hashes", "--no-input"),
        *("--disable-pip-version-check", "--retries", "2", "--timeout", "30"),
        *("--dest", str(work), "--requirement", str(ARCHIVES)),
    ]
    places = {"PYTHONPATH": str(work / "build"), "TMPDIR": str(work / "unpacked")}
    done = subprocess.run(
        command,
        env={**os.environ, **places},
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
    )
    shutil.rmtree(work / "unpacked", ignore_errors=True)
    if done.returncode != 0:
        last = (done.stderr.strip() or "no message").splitlines()[-1]
        raise NotFetchedError(f"templates could not be fetched: {last}")


def _of_llama_cpp(work: Path) -> Iterator[tuple[str, bytes]]:
    (archive,) = work.glob("llama_cpp_python-*.tar.gz")
    with tarfile.open(archive) as members:
        for member in members:
            _, _, name = member.name.partition(f"/{_LLAMA_CPP}")
            if member.isfile() and _is_template(name, member.size):
                source = members.extractfile(member)
                assert source is not None
                yield name, source.read()


def _of_trl(work: Path) -> Iterator[tuple[str, bytes]]:
    (wheel,) = work.glob("trl-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        for member in archive.infolist():
            _, _, name = member.filename.partition(_TRL)
            # Those for training are trl's own changes.
            if _is_template(name, member.file_size) and "_training" not in name:
                yield f"trl/{name}", archive.read(member)


def _is_template(name: str, size: int) -> bool:
    is_plain = name.endswith(".jinja") and "/" not in name
    return is_plain and size <= TEMPLATE_BYTES_MOST
