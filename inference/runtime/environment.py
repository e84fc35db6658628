"""The environment a worker process starts in."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from inference.library.machine import core_count
from inference.runtime.cores import threads_each

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

# How many threads OpenBLAS uses; what the user says is never changed.
THREADS_SETTING = "OPENBLAS_NUM_THREADS"
_PROJECT_ROOT = Path(__file__).resolve().parents[2]


def worker_environment(
    openblas: Path | None, base: Mapping[str, str] = os.environ
) -> dict[str, str]:
    """Return a worker's environment: this process's, offline, with a fast BLAS.

    `openblas` is the library to preload, as `library.openblas` provides it.
    """
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
    environment.setdefault(THREADS_SETTING, str(threads_each(core_count())))
    if openblas is not None:
        environment["LD_PRELOAD"] = _joined(
            [str(openblas), base.get("LD_PRELOAD", "")], " "
        )
    return environment


def _joined(parts: Iterable[str], separator: str) -> str:
    return separator.join(part for part in parts if part)
