"""Which BLAS a worker names is the one that its matrix products call."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import mlx.core as mx
import pytest

from inference.library.openblas import needs_openblas
from tests.fast_blas import openblas_for_tests
from tests.mlxsite.commands import REPOSITORY

pytestmark = pytest.mark.skipif(
    not needs_openblas(), reason="MLX brings a fast BLAS here"
)

# Both bring an OpenBLAS for themselves, as workers of vision models have them.
ASK = """
import numpy, scipy.linalg
assert "openblas" in open("/proc/self/maps").read()
from inference.engine.hardware.device import blas_name
print(blas_name())
"""


def named(program: str = ASK, **environment: str) -> str:
    """Return what a process in this environment says."""
    result = subprocess.run(
        [sys.executable, "-c", program],
        env=os.environ | {"LD_PRELOAD": ""} | environment,
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    )
    return result.stdout.strip()


def test_an_openblas_that_others_brought_for_themselves_is_not_mlxs() -> None:
    assert named() == "reference"


def test_the_one_that_is_preloaded_is() -> None:
    assert named(LD_PRELOAD=str(openblas_for_tests())) == "openblas"


def test_a_name_that_merely_looks_like_openblas_is_not_believed(
    tmp_path: Path,
) -> None:
    libraries = Path(mx.__file__).parents[1] / "mlx_cpu.libs"
    (reference,) = libraries.glob("libblas-*.so*")
    other = tmp_path / "libopenblas-not.so.3"
    shutil.copy(reference, other)
    name = named(LD_PRELOAD=str(other), LD_LIBRARY_PATH=str(libraries))
    assert name == "openblas-not"


THREADS = """
import ctypes
from inference.engine.hardware.blas import use_threads
use_threads(1)
print(ctypes.CDLL(None).openblas_get_num_threads())
"""


def test_a_worker_uses_as_many_threads_as_it_is_told() -> None:
    library = str(openblas_for_tests())
    assert named(THREADS, LD_PRELOAD=library, OPENBLAS_NUM_THREADS="2") == "1"
