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
    for name, found in component_versions().items():
        yield f"{name} {found}"
    yield f"Python {platform.python_version()} on {platform.platform()}"


def component_versions() -> dict[str, str]:
    """Return the version of the product and of what it stands on, by name."""
    others = {name: _version_of(package) for name, package in SHOWN.items()}
    return {"mlx-server": __version__, **others}


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
