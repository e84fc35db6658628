"""Ending a process that this one started."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from asyncio.subprocess import Process


def kill(process: Process) -> None:
    """End the process at once; one that has ended already is left as it is.

    `Process.kill` would do, but before Python 3.13 it first looks whether the
    process has ended, and so may take the exit status from the event loop, which
    then warns of an unknown child and reports 255.
    """
    if process.returncode is None:
        with suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGKILL)
