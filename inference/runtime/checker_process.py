"""One process that checks grammars, from this side: jobs out, a verdict back."""

from __future__ import annotations

import asyncio
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE
from typing import TYPE_CHECKING

import msgspec

from inference.core.child_processes import kill
from inference.runtime.environment import worker_environment
from inference.structure.jobs import JOB_BYTES_MAX, Checking, Fit, Report, Verdict

if TYPE_CHECKING:
    from asyncio.subprocess import Process

CHECKER = (sys.executable, "-m", "inference.structure.checker")
START_S = 60.0
# The processor's time is bounded in the checker; this is for one that stands still.
CHECK_S = 15.0
_LENGTH_BYTES = 4
# A verdict may hold all schemas of its job.
_REPORT_BYTES_MAX = JOB_BYTES_MAX + 1024 * 1024
_DEPTH = (signal.SIGSEGV, signal.SIGBUS, signal.SIGABRT, signal.SIGILL)


class CheckerDiedError(Exception):
    """The process ended before its verdict.

    `param` is what it was at, empty where it had not begun; `is_by_grammar`: it
    met one of its bounds.
    """

    def __init__(self, why: str, *, param: str, is_by_grammar: bool) -> None:
        super().__init__(why)
        self.why = why
        self.param = param
        self.is_by_grammar = is_by_grammar


class CheckerProcess:
    """Owns one process; used for one job at a time."""

    def __init__(self, process: Process) -> None:
        self._process = process

    @classmethod
    async def start(cls, command: tuple[str, ...] = CHECKER) -> CheckerProcess:
        """Start one, and return it once it takes jobs.

        Raises:
            CheckerDiedError: it ended instead.
            OSError: it could not be started.
        """
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=PIPE,
            stdout=PIPE,
            stderr=DEVNULL,
            # No threads of its own: their stacks would be of another size.
            env=worker_environment(None) | {"RAYON_NUM_THREADS": "1"},
            start_new_session=True,
        )
        checker = cls(process)
        try:
            async with asyncio.timeout(START_S):
                await checker._read()  # that it is ready
        except (EOFError, TimeoutError, msgspec.MsgspecError) as error:
            raise await checker._death("", is_late=False) from error
        except BaseException:
            await checker.end()
            raise
        return checker

    @property
    def is_alive(self) -> bool:
        """Whether it has not been seen to end."""
        return self._process.returncode is None

    async def check(self, job: bytes) -> Verdict | Fit:
        """Return what an encoded job is found to be.

        Raises:
            CheckerDiedError: the process ended over it, or was ended.
        """
        param, is_late = "", False
        try:
            async with asyncio.timeout(CHECK_S):
                await self._write(job)
                while not isinstance(report := await self._read(), Verdict | Fit):
                    param = report.param if isinstance(report, Checking) else param
                return report
        except TimeoutError:
            is_late = True
        except (EOFError, OSError, msgspec.MsgspecError):
            pass
        except BaseException:
            await self.end()
            raise
        raise await self._death(param, is_late=is_late)

    async def end(self) -> None:
        """End the process at once, and return when it has."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        kill(self._process)
        await self._process.wait()

    async def _write(self, body: bytes) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(len(body).to_bytes(_LENGTH_BYTES, "big") + body)
        await self._process.stdin.drain()

    async def _read(self) -> Report:
        assert self._process.stdout is not None
        head = await self._process.stdout.readexactly(_LENGTH_BYTES)
        length = int.from_bytes(head, "big")
        if length > _REPORT_BYTES_MAX:
            raise EOFError
        body = await self._process.stdout.readexactly(length)
        report: Report = _decoder.decode(body)
        return report

    async def _death(self, param: str, *, is_late: bool) -> CheckerDiedError:
        """Return what the process died of; it is ended where it has not."""
        try:
            async with asyncio.timeout(0 if is_late else 1):
                await self._process.wait()
        except TimeoutError:
            pass
        await self.end()
        status = self._process.returncode or 0
        if is_late or status == -signal.SIGPROF:
            return CheckerDiedError(
                "it takes too long to be checked", param=param, is_by_grammar=True
            )
        if -status in _DEPTH:
            return CheckerDiedError(
                "it is too deep or too large to be checked",
                param=param,
                is_by_grammar=True,
            )
        why = f"signal {-status}" if status < 0 else f"exit status {status}"
        return CheckerDiedError(why, param=param, is_by_grammar=False)


_decoder = msgspec.msgpack.Decoder(Report)
