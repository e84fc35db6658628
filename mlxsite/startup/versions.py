"""Which versions are installed, read without importing any of them."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

from mlxsite import __version__

if TYPE_CHECKING:
    from collections.abc import Iterator

SHOWN = {
    "mlx": "mlx",
    "mlx-lm": "mlx-lm",
    "mlx-vlm": "mlx-vlm",
    "Django": "django",
    "Daphne": "daphne",
}


def version_lines() -> Iterator[str]:
    """Yield a line per component; the product's own comes first."""
    yield f"mlx-server {__version__}"
    for name, distribution in SHOWN.items():
        yield f"{name} {_version_of(distribution)}"
    yield f"Python {platform.python_version()} on {platform.platform()}"


def shown_versions() -> dict[str, str]:
    """Return the versions that `/metrics` tells, by label."""
    return {
        "version": __version__,
        "mlx": _version_of("mlx"),
        "mlx_lm": _version_of("mlx-lm"),
        "python": platform.python_version(),
    }


def _version_of(distribution: str) -> str:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return "not installed"
