"""What this machine is: how much memory it has, and what it computes on."""

from __future__ import annotations

import os
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

GPU_DISTRIBUTIONS = ("mlx-cuda-13", "mlx-cuda-12")
MEMBERSHIP = Path("/proc/self/cgroup")
GROUPS = Path("/sys/fs/cgroup")


def computes_on_cpu() -> bool:
    """Whether MLX has no GPU here, as far as the installed packages tell.

    Asked without importing MLX, which only worker processes do.
    """
    return sys.platform != "darwin" and not any(map(_is_installed, GPU_DISTRIBUTIONS))


def core_count() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def memory_bytes() -> int:
    """Return the memory in bytes that this process may count on.

    The machine's own, or less where a control group (a container, a service)
    allows less.
    """
    physical = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return min([physical, *group_limits(MEMBERSHIP, GROUPS)])


def group_limits(membership: Path, groups: Path) -> Iterator[int]:
    """Yield the memory limits of this process's control groups, in bytes.

    `membership` is its `/proc/self/cgroup`, `groups` where versions 1 and 2 are
    mounted. A group's ancestors count too. Machines without any yield nothing.
    """
    for line in _text_of(membership).splitlines():
        _, _, rest = line.partition(":")
        controllers, _, group = rest.partition(":")
        if not controllers:
            yield from _limits_up(groups, group, "memory.max")
        elif "memory" in controllers.split(","):
            yield from _limits_up(groups / "memory", group, "memory.limit_in_bytes")


def _limits_up(root: Path, group: str, file: str) -> Iterator[int]:
    """Yield the limits from a group up to the root.

    Inside a container the group's path is often the host's and not there, while
    the root is the container's own.
    """
    parts = [part for part in group.split("/") if part not in {"", ".", ".."}]
    for depth in range(len(parts), -1, -1):
        text = _text_of(root.joinpath(*parts[:depth], file)).strip()
        if text.isdecimal() and int(text) > 0:  # not "max"
            yield int(text)


def _text_of(path: Path) -> str:
    try:
        return path.read_text()
    except (OSError, ValueError):
        return ""


def _is_installed(distribution: str) -> bool:
    try:
        version(distribution)
    except PackageNotFoundError:
        return False
    return True
