"""What this machine is, in a few words, without importing MLX."""

from __future__ import annotations

import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

from inference.library.machine import computes_on_cpu, core_count, memory_bytes

PATIENCE_S = 5.0
CPUINFO = Path("/proc/cpuinfo")


def hardware() -> dict[str, Any]:
    """Return the machine as a benchmark keeps it."""
    return {
        "processor": processor_name(),
        "cores": core_count(),
        "memory_bytes": memory_bytes(),
        "computes_on": "CPU" if computes_on_cpu() else "GPU",
        "system": system_name(),
        "machine": platform.machine(),
    }


def system_name() -> str:
    """Return the operating system as its users call it."""
    if sys.platform == "darwin":
        return f"macOS {platform.mac_ver()[0]}"
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except (OSError, KeyError):
        return platform.platform(terse=True)


def processor_name() -> str:
    """Return the processor as its maker calls it, or its architecture."""
    if sys.platform == "darwin":
        return sysctl("machdep.cpu.brand_string") or platform.machine()
    try:
        lines = CPUINFO.read_text().splitlines()
    except (OSError, UnicodeDecodeError):
        lines = []
    named = (line.partition(":")[2].strip() for line in lines if "model name" in line)
    return next(named, "") or platform.machine()


def sysctl(name: str) -> str:
    """Return what a Mac's kernel says, or an empty text."""
    command = ["/usr/sbin/sysctl", "-n", name]
    try:
        found = subprocess.run(  # noqa: S603 -- a fixed path and a name of ours
            command, capture_output=True, text=True, timeout=PATIENCE_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return found.stdout.strip()
