"""The operating system's side of a worker: start, socket, output, death."""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
import sys
from typing import TYPE_CHECKING, Any

from inference.core.child_processes import kill
from inference.core.frames import FrameError, FrameReader
from inference.runtime.environment import worker_environment

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

logger = logging.getLogger("inference.worker")

OUTPUT_BYTES = 64 * 1024
EXIT_GRACE_S = 5.0


class WorkerProcess:
    """Owns the process and the last of what it printed; `openblas` is preloaded."""

    def __init__(self, *, openblas: Path | None = None) -> None:
        self._openblas = openblas
        self._process: asyncio.subprocess.Process | None = None
        self._output = bytearray()
        self._reading: asyncio.Task[None] | None = None
        self._killed_for = ""

    @property
    def is_running(self) -> bool:
        """Whether it was started and has not ended."""
        return self._process is not None and self._process.returncode is None

    async def start(self) -> socket.socket:
        """Start the process and return our end of its socket."""
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        try:
            self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "inference.engine.worker.main"),
                *("--fd", str(theirs.fileno())),
                pass_fds=[theirs.fileno()],
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
                env=worker_environment(self._openblas),
                # Ctrl-C reaches the web process only; it ends workers last.
                start_new_session=True,
            )
        except OSError:
            ours.close()
            raise
        finally:
            theirs.close()
        self._reading = asyncio.create_task(self._read_output())
        return ours

    async def wait(self) -> str:
        """Return why the process ended, insisting a little after its socket closed."""
        assert self._process is not None
        assert self._reading is not None
        try:
            async with asyncio.timeout(EXIT_GRACE_S):
                await self._process.wait()
        except TimeoutError:
            kill(self._process)
        status = await self._process.wait()
        await asyncio.gather(self._reading, return_exceptions=True)
        return self._describe_death(status)

    def kill(self, why: str) -> None:
        """End the process at once, as a crash would; `why` becomes the reason."""
        self._killed_for = why
        if self._process is not None:
            kill(self._process)

    def _describe_death(self, status: int) -> str:
        if self._killed_for:
            return self._killed_for
        if status < 0:
            try:
                cause = f"killed by {signal.Signals(-status).name}"
            except ValueError:
                cause = f"killed by signal {-status}"
        else:
            cause = f"exit status {status}"
        lines = self._output.decode("utf-8", "replace").strip().splitlines()
        return f"{cause} ({lines[-1][:300]})" if lines and status != 0 else cause

    async def _read_output(self) -> None:
        """Read what it prints: an unread pipe would block it."""
        assert self._process is not None
        assert self._process.stdout is not None
        while data := await self._process.stdout.read(4096):
            self._output += data
            del self._output[:-OUTPUT_BYTES]
            for line in data.decode("utf-8", "replace").splitlines():
                logger.info("%s", line)


class ReportProtocol(asyncio.Protocol):
    """Feeds the socket's bytes to a handle, frame by frame."""

    def __init__(
        self, on_report: Callable[[Any], None], on_lost: Callable[[], None]
    ) -> None:
        self._reader = FrameReader.for_reports()
        self._on_report = on_report
        self._on_lost = on_lost
        self._transport: asyncio.BaseTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember what to close when the peer talks nonsense."""
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Hand over the frames that are now complete."""
        try:
            for report in self._reader.feed(data):
                self._on_report(report)
        except FrameError:
            logger.exception("A worker sent something that is no frame")
            if self._transport is not None:
                self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """Say that nothing will come any more."""
        self._on_lost()
