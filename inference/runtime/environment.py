"""The environment a worker process starts in."""

from __future__ import annotations

import os
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_OPENBLAS_PLACES = (
    "usr/lib/*/openblas-pthread/libopenblas.so.0",
    "usr/lib/*/openblas-openmp/libopenblas.so.0",
    "usr/lib64/libopenblasp.so.0",
    "usr/lib64/libopenblas.so.0",
    "usr/lib/libopenblas.so.0",
)
_PROJECT_ROOT = Path(__file__).resolve().parents[2]


def find_openblas(root: Path = Path("/")) -> Path | None:
    """Return an OpenBLAS that a worker could preload, or `None`."""
    found = (path for place in _OPENBLAS_PLACES for path in sorted(root.glob(place)))
    return next(found, None)


def needs_openblas(platform: str = sys.platform) -> bool:
    """Whether MLX computes on this machine's CPU with its bundled reference BLAS."""
    return platform == "linux" and _is_installed("mlx-cpu")


def worker_environment(base: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return a worker's environment: this process's, offline, with a fast BLAS."""
    environment = dict(base)
    environment["PYTHONPATH"] = _joined(
        [str(_PROJECT_ROOT), base.get("PYTHONPATH", "")], os.pathsep
    )
    # A worker reads local files only; nothing in it may ask a hub.
    environment["HF_HUB_OFFLINE"] = "1"
    environment["TOKENIZERS_PARALLELISM"] = "false"
    environment["TRANSFORMERS_VERBOSITY"] = "error"
    environment["PYTHONUNBUFFERED"] = "1"
    # Idle BLAS threads must sleep, not spin: the web process needs the cores too.
    environment.setdefault("OPENBLAS_THREAD_TIMEOUT", "4")
    library = find_openblas() if needs_openblas() else None
    if library is not None:
        environment["LD_PRELOAD"] = _joined(
            [str(library), base.get("LD_PRELOAD", "")], " "
        )
    return environment


def _joined(parts: Iterable[str], separator: str) -> str:
    return separator.join(part for part in parts if part)


def _is_installed(package: str) -> bool:
    try:
        version(package)
    except PackageNotFoundError:
        return False
    return True
