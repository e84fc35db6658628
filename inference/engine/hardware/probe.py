"""`python -m inference.engine.hardware.probe`: whether MLX computes here, and with what.

Prints one line of JSON; `mlx-server doctor` reads it.
"""

from __future__ import annotations

import json
import sys

import mlx.core as mx

from inference.engine.hardware.device import (
    blas_name,
    device_name,
    gpu_memory_bytes,
    versions,
)


def main() -> int:
    """Compute a little, and tell what did it."""
    side = 64
    product = mx.ones((side, side)) @ mx.ones((side, side))
    found = {
        "device": device_name(),
        "blas": blas_name(),
        "gpu_memory_bytes": gpu_memory_bytes(),
        "versions": versions(),
        "is_right": bool(mx.all(product == side)),
    }
    sys.stdout.write(f"{json.dumps(found)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
