"""What this worker computes on, and how much memory it may keep."""

from __future__ import annotations

import importlib.metadata
import platform
from pathlib import Path

import mlx.core as mx
from mlx import nn

from inference.engine.hardware.blas import serving_blas

GIB = 1024**3
_PACKAGES = ("mlx", "mlx-lm", "mlx-vlm", "transformers")


def is_cpu() -> bool:
    """Whether arrays are computed on the CPU."""
    return bool(mx.default_device() == mx.cpu)


def device_name() -> str:
    """Return `cpu`, `metal` or `cuda`."""
    if is_cpu():
        return "cpu"
    return "metal" if mx.metal.is_available() else "cuda"


def blas_name() -> str:
    """Return which BLAS serves CPU matmul; empty where a GPU computes.

    `openblas`, `accelerate` (macOS), `reference` (bundled with MLX, slow), or the
    name of another library that somebody preloaded.
    """
    if not is_cpu():
        return ""
    if platform.system() == "Darwin":
        return "accelerate"
    return serving_blas(Path(mx.__file__).parent / "lib" / "libmlx.so")


def versions() -> dict[str, str]:
    """Return the installed versions of the engine's packages."""
    found = {}
    for name in _PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def gpu_memory_bytes() -> int:
    """Return what the GPU can hold; 0 where the CPU computes, or it is not told."""
    if is_cpu():
        return 0
    told = mx.device_info()
    for name in ("max_recommended_working_set_size", "total_memory", "memory_size"):
        if isinstance(told.get(name), int):
            return int(told[name])
    return 0


def settle_dtype(model: nn.Module) -> None:
    """Have floating weights be float32 on CPU, where nothing else is fast.

    Reference BLAS serves float16 at a hundredth of float32's speed; see
    `docs/decisions.md`. Nothing is computed yet.
    """
    if is_cpu():
        model.set_dtype(mx.float32)


def limit_memory(weight_bytes: int) -> None:
    """Keep wired and cached memory near what one worker needs (GPU only)."""
    if is_cpu():
        return
    recommended = mx.device_info().get("max_recommended_working_set_size")
    if recommended is not None:
        mx.set_wired_limit(min(int(recommended), int(weight_bytes * 1.2) + 2 * GIB))
    mx.set_cache_limit(2 * GIB)
