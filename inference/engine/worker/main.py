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

from inference.core.frames import (
    CancelSequence,
    Decode,
    DropPrompt,
    FrameReader,
    LoadFailed,
    LoadModel,
    LoadProgress,
    ModelLoaded,
    PreparePrompt,
    Purge,
    UseThreads,
    WorkerHello,
)
from inference.core.timing import SystemClock
from inference.engine.answers.sender import Sender
from inference.engine.answers.texts import AnswerTexts
from inference.engine.hardware.device import (
    blas_name,
    device_name,
    gpu_memory_bytes,
    versions,
)
from inference.engine.loading.load_errors import told
from inference.engine.loading.text_model import TextModel, load_text_model, warm_up
from inference.engine.speculation.draft_model import DraftModel, load_draft
from inference.engine.worker.loop import EngineConfig, EngineLoop, StopHit
from inference.engine.worker.prompts import PromptPreparer
from inference.structure.limits import COMPILE_STACK_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable

logger = logging.getLogger(__name__)
READ_BYTES = 256 * 1024


class VanishedError(Exception):
    """A folder of the model is not there."""


class Worker:
    """Wires the threads; `serve` runs on the main thread, which is the MLX thread."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._reader = FrameReader.for_commands()
        self._sender = Sender(connection, on_stop=self._stop_hit)
        self._load: LoadModel | None = None
        self._load_arrived = threading.Event()
        self._preparer: PromptPreparer | None = None
        self._loop: EngineLoop | None = None
        self._max_rows = 1

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
        loop = self._load_model(self._load)
        if loop is not None:
            loop.run()

    def _load_model(self, command: LoadModel) -> EngineLoop | None:
        clock = SystemClock()
        began = clock.monotonic()
        try:
            _ensure_there(command)
            load = _loader_of(command.kind)
            text = load(
                Path(command.path), command.options, on_progress=self._tell_progress
            )
            warm_up(text)
            draft = self._load_draft(command, text)
        except Exception as error:
            # The web process gets the reason; the traceback would only repeat it.
            logger.debug("The model could not be loaded", exc_info=True)
            reason = str(error) if isinstance(error, VanishedError) else told(error)
            self._sender.send(LoadFailed(message=reason[:1000]))
            self._sender.finish()
            return None
        self._open_loop(text, command, draft)
        self._tell_loaded(text, draft, clock.monotonic() - began)
        return self._loop

    def _load_draft(self, command: LoadModel, text: TextModel) -> DraftModel | None:
        path = command.options.draft_path
        if not path:
            return None
        return load_draft(Path(path), text, on_progress=self._tell_progress)

    def _open_loop(
        self, text: TextModel, command: LoadModel, draft: DraftModel | None
    ) -> None:
        self._max_rows = command.max_rows if text.is_batchable else 1
        self._preparer = PromptPreparer(text, self._sender)
        answers = AnswerTexts(text.tokenizer, text.formats, text.words)
        self._loop = EngineLoop(
            text,
            self._sender,
            self._preparer,
            answers,
            EngineConfig(self._max_rows, draft, command.prefix_bytes),
        )

    def _tell_loaded(
        self, text: TextModel, draft: DraftModel | None, load_s: float
    ) -> None:
        cost = text.kv_cost
        self._sender.send(
            ModelLoaded(
                load_s=load_s,
                context_length=text.context_length,
                weight_bytes=text.weight_bytes + (draft.weight_bytes if draft else 0),
                max_rows=self._max_rows,
                vocabulary=text.vocabulary,
                defaults=text.defaults,
                kv_bytes_per_token=cost.bytes_per_token,
                kv_bytes_per_row=cost.bytes_per_row,
                kv_window=cost.window,
                capabilities=text.capabilities,
                dialect=text.formats.dialect_name,
                notes=(*text.notes, *(draft.notes if draft else ())),
            )
        )

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
            case PreparePrompt() if self._preparer is not None:
                self._preparer.submit(command)
            case DropPrompt() if self._preparer is not None:
                self._preparer.drop(command.prompt_id)
            case Decode() | CancelSequence() if self._loop is not None:
                self._loop.post(command)
            case Purge() | UseThreads() if self._loop is not None:
                self._loop.post(command)
            case _:
                logger.warning("Ignored a %s before the load", type(command).__name__)

    def _stop_hit(self, sequence_id: int) -> None:
        if self._loop is not None:
            self._loop.post(StopHit(sequence_id))


def _ensure_there(command: LoadModel) -> None:
    """Refuse a folder that is gone: the libraries would take its path for a hub id.

    Raises:
        VanishedError: a folder of the model is not there.
    """
    options = command.options
    for path in filter(None, (command.path, options.adapter_path, options.draft_path)):
        if not Path(path).is_dir():
            raise VanishedError(f"its folder {path} is not there any more")


def _loader_of(kind: str) -> Callable[..., TextModel]:
    """Return what loads models of a kind; only vision models need mlx-vlm."""
    if kind != "vlm":
        return load_text_model
    from inference.engine.loading.vision_model import load_vision_model

    return load_vision_model


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
    Worker(connection).serve()
    mx.clear_streams()
    return 0


if __name__ == "__main__":
    sys.exit(main())
