"""Engines in a test's own process compute with the workers' BLAS.

Loaded by `tests/conftest.py`. A library is preloaded where a process begins, so
this is for the processes of pytest-xdist: the one that starts them asks for it,
and they start what they start without it, as a user would.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from inference.runtime.environment import worker_environment

if TYPE_CHECKING:
    import pytest

_ASKED_FOR = "MLX_TEST_PRELOADED"
_NAMES = ("LD_PRELOAD", "OPENBLAS_THREAD_TIMEOUT")


def pytest_configure(config: pytest.Config) -> None:
    """Ask for the library, or, in a process that has it, ask no longer."""
    if hasattr(config, "workerinput"):
        for name in os.environ.pop(_ASKED_FOR, "").split():
            os.environ.pop(name, None)
    elif config.getoption("numprocesses", None):
        wanted = worker_environment()
        names = [name for name in _NAMES if name in wanted and name not in os.environ]
        os.environ.update({name: wanted[name] for name in names})
        os.environ[_ASKED_FOR] = " ".join(names)
