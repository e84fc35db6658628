"""Engines in a test's own process compute with the workers' BLAS.

Loaded by `tests/conftest.py`. A library is preloaded where a process begins, so
this is for the processes of pytest-xdist: the one that starts them asks for it,
and they start what they start without it, as a user would.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from inference.library.openblas import AUTO, provide_openblas
from inference.runtime.environment import worker_environment

if TYPE_CHECKING:
    import pytest

_ASKED_FOR = "MLX_TEST_PRELOADED"
_KEPT = "MLX_TEST_OPENBLAS"
_NAMES = ("LD_PRELOAD", "OPENBLAS_THREAD_TIMEOUT", "OPENBLAS_NUM_THREADS")


def pytest_configure(config: pytest.Config) -> None:
    """Ask for the library, or, in a process that has it, ask no longer."""
    if hasattr(config, "workerinput"):
        for name in os.environ.pop(_ASKED_FOR, "").split():
            os.environ.pop(name, None)
    elif config.getoption("numprocesses", None):
        wanted = worker_environment(openblas_for_tests())
        names = [name for name in _NAMES if name in wanted and name not in os.environ]
        os.environ.update({name: wanted[name] for name in names})
        os.environ[_ASKED_FOR] = " ".join(names)


def openblas_for_tests() -> Path | None:
    """Return what workers preload, as the environment chooses; copied at most once."""
    if _KEPT in os.environ:
        return Path(os.environ[_KEPT])
    folder = Path(os.environ["MLX_DATA_DIR"], "openblas")
    library = provide_openblas(os.environ.get("MLX_OPENBLAS") or AUTO, folder)
    if library is not None and library.parent == folder:
        os.environ[_KEPT] = str(library)
    return library


def share_openblas(data_dir: Path) -> None:
    """Give a server's data folder the copy that was made, if one was.

    Each server would make its own: a second and 25 MB for each of hundreds.
    """
    kept = os.environ.get(_KEPT)
    if kept is None:
        return
    shared = data_dir / "openblas" / Path(kept).name
    with suppress(OSError):
        # As the server makes it: it says a line of one that is open to others.
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        shared.parent.mkdir(exist_ok=True)
        os.link(kept, shared)
