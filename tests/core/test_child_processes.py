"""A process that is ended keeps its own exit status, one that began its own peak."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys

from inference.core.child_processes import kill
from inference.core.limits import MIB

ROUNDS = 150


async def start(script: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *("/bin/sh", "-c", script), stdout=asyncio.subprocess.PIPE
    )


async def test_killed_in_the_moment_of_its_end_it_keeps_its_status() -> None:
    statuses = set()
    for _ in range(ROUNDS):
        process = await start("exit 7")
        assert process.stdout is not None
        await process.stdout.read()  # its end closes the pipe, just before it is gone
        kill(process)
        statuses.add(await process.wait())

    assert statuses <= {7, -signal.SIGKILL}


async def test_one_that_would_go_on_is_ended() -> None:
    process = await start("exec sleep 600")
    kill(process)

    assert await process.wait() == -signal.SIGKILL


async def test_one_that_is_gone_is_left_alone() -> None:
    process = await start("exit 0")
    assert await process.wait() == 0

    kill(process)

    assert process.returncode == 0


def test_the_peak_of_one_that_a_large_process_began_is_its_own() -> None:
    large = b"x" * (400 * MIB)
    code = "from inference.core.child_processes import peak_bytes; print(peak_bytes())"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)

    peak = int(told.stdout)
    is_own = MIB < peak < len(large) // 2  # no text of megabytes where it fails
    assert is_own, peak
