"""The worker process: `python -m inference.engine.worker.main --fd N`.

Four kinds of thread: this module's reader dispatches and never works, a small
pool prepares prompts, the main thread is the MLX thread, the sender writes.
When the web process goes, however it goes, the reader sees the socket close and
ends this process at once.
"""

from __future__ import annotations

import argparse
import logging
import os
import signal
import socket
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import mlx.core as mx
import msgspec

from inference.core.frames import (
    FrameReader,
    LoadFailed,
    LoadModel,
    LoadProgress,
    WorkerHello,
)
from inference.core.timing import SystemClock
from inference.engine.answers.sender import Sender
from inference.engine.hardware.device import (
    blas_name,
    device_name,
    gpu_memory_bytes,
    versions,
)
from inference.engine.loading.load_errors import told
from inference.engine.worker.engines import open_engine
from inference.engine.worker.loop import StopHit
from inference.structure.limits import COMPILE_STACK_BYTES

if TYPE_CHECKING:
    from inference.engine.worker.engines import Engine

logger = logging.getLogger(__name__)
READ_BYTES = 256 * 1024


class VanishedError(Exception):
    """A folder of the model is not there."""


class WorkerServer:
    """Wires the threads; `serve` runs on the main thread, which is the MLX thread."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._reader = FrameReader.for_commands()
        self._sender = Sender(connection, on_stop=self._stop_hit)
        self._load: LoadModel | None = None
        self._load_arrived = threading.Event()
        self._engine: Engine | None = None

    def serve(self) -> None:
        """Say hello, load what is asked for, then generate until the end."""
        self._sender.start()
        threading.Thread(target=self._read, name="reader", daemon=True).start()
        self._sender.send(
            WorkerHello(
                pid=os.getpid(),
                versions=versions(),
                device=device_name(),
                blas=blas_name(),
                memory_bytes=gpu_memory_bytes(),
            )
        )
        self._load_arrived.wait()
        assert self._load is not None
        if engine := self._open_engine(self._load):
            engine.run()

    def _open_engine(self, command: LoadModel) -> Engine | None:
        clock = SystemClock()
        began = clock.monotonic()
        try:
            _ensure_there(command)
            engine = open_engine(command, self._sender, self._tell_progress)
        except Exception as error:
            # The web process gets the reason; the traceback would only repeat it.
            logger.debug("The model could not be loaded", exc_info=True)
            reason = str(error) if isinstance(error, VanishedError) else told(error)
            self._sender.send(LoadFailed(message=reason[:1000]))
            self._sender.finish()
            return None
        load_s = clock.monotonic() - began
        # Before the web process can ask for anything, the reader knows the engine.
        self._engine = engine
        self._sender.send(msgspec.structs.replace(engine.loaded, load_s=load_s))
        return engine

    def _tell_progress(self, done_bytes: int, total_bytes: int) -> None:
        self._sender.send(LoadProgress(done_bytes=done_bytes, total_bytes=total_bytes))

    # --- reader thread

    def _read(self) -> None:
        try:
            while data := self._connection.recv(READ_BYTES):
                for command in self._reader.feed(data):
                    self._dispatch(command)
        except Exception:
            logger.exception("The reader failed")
        _end_now()

    def _dispatch(self, command: Any) -> None:
        match command:
            case LoadModel():
                self._load = command
                self._load_arrived.set()
            case _ if self._engine is not None:
                self._engine.post(command)
            case _:
                logger.warning("Ignored a %s before the load", type(command).__name__)

    def _stop_hit(self, sequence_id: int) -> None:
        if self._engine is not None:
            self._engine.post(StopHit(sequence_id))


def _ensure_there(command: LoadModel) -> None:
    """Refuse a folder that is gone: the libraries would take its path for a hub id.

    Raises:
        VanishedError: a folder of the model is not there.
    """
    options = command.options
    for path in filter(None, (command.path, options.adapter_path, options.draft_path)):
        if not Path(path).is_dir():
            raise VanishedError(f"its folder {path} is not there any more")


def _end_now() -> NoReturn:
    """End the process whatever its other threads do."""
    sys.stderr.flush()
    os._exit(0)


def main() -> int:
    """Serve one model over the inherited socket."""
    parser = argparse.ArgumentParser(prog="inference.engine.worker.main")
    parser.add_argument("--fd", type=int, required=True)
    options = parser.parse_args()
    # Ctrl-C is for the web process: it drains first and ends its workers last.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(message)s")
    # Grammars are compiled in threads; the check of them had a smaller stack.
    threading.stack_size(COMPILE_STACK_BYTES)
    # The reader and the prepare pool must not wait for long stretches of Python.
    sys.setswitchinterval(0.001)
    connection = socket.socket(fileno=options.fd)
    WorkerServer(connection).serve()
    mx.clear_streams()
    return 0


if __name__ == "__main__":
    sys.exit(main())
