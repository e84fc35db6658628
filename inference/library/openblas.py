"""The OpenBLAS of this machine: the system's, or a copy of a package's.

MLX computes on Linux CPUs with the reference BLAS that came with it, unless another
is preloaded. The package scipy-openblas32 has an OpenBLAS whose every name begins
with `scipy_`; a copy that lost the prefix is made once, in the data folder.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from inference.library.convert import SOURCE_ROOT, work_folder
from inference.library.elf_names import ElfError, without_prefix
from inference.library.machine import computes_on_cpu

AUTO, SYSTEM, BUNDLED, OFF = "auto", "system", "bundled", "off"
CHOICES = (AUTO, SYSTEM, BUNDLED, OFF)

PLACES = (
    "usr/lib/*/openblas-pthread/libopenblas.so.0",
    "usr/lib/*/openblas-openmp/libopenblas.so.0",
    "usr/lib64/libopenblasp.so.0",
    "usr/lib64/libopenblas.so.0",
    "usr/lib/libopenblas.so.0",
)
PACKAGE = "scipy-openblas32"
MEMBER = "scipy_openblas32/lib/libscipy_openblas.so"
PREFIX = b"scipy_"
TRIAL_S = 60.0
APT_GET = "apt-get install libopenblas0-pthread"
# The linker reads LD_PRELOAD as a list with these between its parts.
SEPARATORS = " :"

# Surrounds a step, which it is told in a few words.
Announce = Callable[[str], AbstractContextManager[None]]


class OpenBlasError(RuntimeError):
    """A copy of the package's OpenBLAS cannot be had; the message is one line."""


@dataclass(frozen=True, slots=True)
class PackagedOpenBlas:
    """The library as the package has it."""

    path: Path
    version: str

    @classmethod
    def find(cls) -> PackagedOpenBlas | None:
        """Return the installed one, if there is one."""
        try:
            package = distribution(PACKAGE)
        except PackageNotFoundError:
            return None
        path = Path(str(package.locate_file(MEMBER)))
        return cls(path, package.version) if path.is_file() else None


def needs_openblas(platform: str = sys.platform) -> bool:
    """Whether MLX computes here with the reference BLAS unless it gets another."""
    return platform == "linux" and computes_on_cpu()


def find_system_openblas(root: Path = Path("/")) -> Path | None:
    """Return the OpenBLAS that the system's package manager installed, if any."""
    found = (path for place in PLACES for path in sorted(root.glob(place)))
    return next(found, None)


def lacks_openblas(choice: str) -> bool:
    """Whether one is needed and wanted, and none is installed. Makes nothing."""
    if choice == OFF or not needs_openblas():
        return False
    has_system = choice != BUNDLED and find_system_openblas() is not None
    has_package = choice != SYSTEM and PackagedOpenBlas.find() is not None
    return not has_system and not has_package


def advice_on(choice: str) -> str:
    """Return what to do where no OpenBLAS is in use."""
    if choice == OFF:
        return "MLX_OPENBLAS=off asks for it: unset that."
    if choice == SYSTEM:
        return f"{APT_GET}, or unset MLX_OPENBLAS."
    return f"pip install {PACKAGE}, or {APT_GET}."


def provide_openblas(
    choice: str,
    folder: Path,
    *,
    scratch: Path | None = None,
    announce: Announce | None = None,
) -> Path | None:
    """Return the OpenBLAS for workers to preload; `None`: needed, wanted or had none.

    A copy is kept in `folder`. One that is not there yet is made in `scratch`
    instead, where that is given; `announce` surrounds the making.

    Raises:
        OpenBlasError: the copy cannot be made, or does not work.
    """
    if choice == OFF or not needs_openblas():
        return None
    system = find_system_openblas() if choice != BUNDLED else None
    package = PackagedOpenBlas.find() if choice != SYSTEM else None
    if system is not None or package is None:
        return system
    try:
        return _copy_of(package, folder, scratch or folder, announce or _in_silence)
    except OSError as error:
        raise OpenBlasError(f"the copy of OpenBLAS cannot be kept: {error}") from None
    except ElfError as error:
        raise OpenBlasError(f"{PACKAGE} {package.version}: {error}") from None


def _in_silence(words: str) -> AbstractContextManager[None]:
    return nullcontext()


def _copy_of(
    package: PackagedOpenBlas, folder: Path, workshop: Path, announce: Announce
) -> Path:
    if set(SEPARATORS) & set(str(folder)):
        raise OpenBlasError(
            f"nothing can be preloaded from {folder}, for the blank or colon in its "
            "name: choose another MLX_DATA_DIR"
        )
    library = package.path.read_bytes()
    digest = hashlib.sha256(library).hexdigest()
    target = folder / f"libopenblas-{package.version}-{digest[:16]}.so"
    if not _is_whole(target, library):
        target = workshop / target.name
        with announce(f"OpenBLAS: a copy of {PACKAGE}'s, {len(library) / 1e6:.0f} MB"):
            _make(target, library)
    return target


def _is_whole(target: Path, library: bytes) -> bool:
    # It has its name only since it was whole; the prefix goes without moving a byte.
    return target.is_file() and target.stat().st_size == len(library)


def _make(target: Path, library: bytes) -> None:
    """Work in a folder beside `target`; the last step gives it the name, whole."""
    with work_folder(target.parent) as work:
        if _is_whole(target, library):
            return
        draft = work / target.name
        with draft.open("wb") as file:
            file.write(without_prefix(library, PREFIX))
            file.flush()
            os.fsync(file.fileno())
        try_out(draft)
        for older in target.parent.glob("libopenblas-*.so"):
            older.unlink()
        draft.rename(target)


def try_out(library: Path) -> None:
    """Have a process multiply with the library preloaded.

    Raises:
        OpenBlasError: it does not take the library, or the product is wrong.
    """
    # -P and PYTHONPATH: our own package, whatever lies in the current folder.
    command = [
        sys.executable,
        "-P",
        "-m",
        "inference.engine.hardware.blas",
        str(library),
    ]
    environment = {**os.environ, "PYTHONPATH": str(SOURCE_ROOT)}
    try:
        result = subprocess.run(  # noqa: S603 -- our own interpreter
            command,
            env=environment | {"LD_PRELOAD": str(library)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=TRIAL_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise OpenBlasError(f"OpenBLAS gave no answer in {TRIAL_S:g} s") from None
    if result.returncode:
        lines = result.stderr.strip().splitlines() or [f"it ended {result.returncode}"]
        raise OpenBlasError(f"OpenBLAS does not work here: {lines[-1]}")
