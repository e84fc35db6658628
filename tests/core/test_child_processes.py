"""A child process keeps its own exit status, and its own peak of memory."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys

from inference.core.child_processes import kill
from inference.core.limits import MIB
from tests.conftest import REPOSITORY

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


def test_the_peak_of_a_process_is_its_own_and_not_that_of_who_started_it() -> None:
    ballast = b"x" * (256 * MIB)
    script = (
        "from inference.core.child_processes import peak_bytes; print(peak_bytes())"
    )
    told = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, check=True, cwd=REPOSITORY
    )
    assert 0 < int(told.stdout) < len(ballast)
