"""What a worker process holds beside MLX's arrays, where that comes from one memory.

Pictures, grammars and prompts are no arrays of MLX, but of the same memory where the
CPU computes: there MLX's arrays are part of what the process holds, so the rest is
the difference. A GPU's budget is of the GPU's memory, which nothing of it is in.
"""

from __future__ import annotations

import ctypes
import os
import sys
from contextlib import suppress
from pathlib import Path

import mlx.core as mx

from inference.core.limits import MIB
from inference.engine.hardware.device import is_cpu

_STATM = Path("/proc/self/statm")
# What Python and its allocator take and leave by themselves is no news.
_SLACK_BYTES = 64 * MIB


class HostMemory:
    """Measures what the process has taken since this was made, MLX's arrays apart.

    What it took before (the interpreter, libraries, the tokenizer) is not counted: no
    estimate of a model has it, and the budget leaves the machine a share for that.
    Nothing is told (0) beside a GPU, and where the system has no `/proc`.
    """

    def __init__(self) -> None:
        self._usual_bytes = _beside_mlx() + _SLACK_BYTES

    def taken_bytes(self) -> int:
        """Return how many bytes it is more by now."""
        return max(0, _beside_mlx() - self._usual_bytes)


def give_back() -> None:
    """Return freed memory to the system: the allocator keeps some for later."""
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):  # Another C library than glibc.
            ctypes.CDLL(None).malloc_trim(0)


def _beside_mlx() -> int:
    """Return the bytes of the process's own pages that are not MLX's; 0: not told.

    Pages of files are left out: workers share those of the libraries.
    """
    if not is_cpu():
        return 0
    try:
        _, resident, shared = map(int, _STATM.read_text().split()[:3])
    except OSError:
        return 0
    own = (resident - shared) * os.sysconf("SC_PAGE_SIZE")
    return own - int(mx.get_active_memory() + mx.get_cache_memory())
