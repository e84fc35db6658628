"""Processes that do one kind of work for this one: their bounds, and their end."""

from __future__ import annotations

import os
import resource
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from asyncio.subprocess import Process

NICE = 5  # those who decode go first


def kill(process: Process) -> None:
    """End the process at once; one that has ended already is left as it is.

    `Process.kill` would do, but before Python 3.13 it first looks whether the
    process has ended, and so may take the exit status from the event loop, which
    then warns of an unknown child and reports 255.
    """
    if process.returncode is None:
        with suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGKILL)


def environment_without_preload() -> dict[str, str]:
    """Return this process's environment for one with bounded addresses.

    What is preloaded for MLX would take of them.
    """
    return {name: text for name, text in os.environ.items() if name != "LD_PRELOAD"}


def bound_this_process(addresses_bytes: int) -> None:
    """Set what the system holds this process to, as far as it does."""
    for kind, most in (
        (resource.RLIMIT_AS, addresses_bytes),
        (resource.RLIMIT_CORE, 0),
    ):
        with suppress(ValueError, OSError):
            resource.setrlimit(kind, (most, most))
    os.nice(NICE)
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def peak_bytes() -> int:
    """Return the most memory that this process has had.

    On Linux not by `getrusage`: what that says of a new process is no less than what
    the one that started it had.
    """
    with suppress(OSError), Path("/proc/self/status").open(encoding="ascii") as status:
        for line in status:
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
